// What the console's own pages do: copy keys, draw charts. No inline code, no eval, no other host.
(() => {
  "use strict";

  const SUBSCRIPT = "₀₁₂₃₄₅₆₇₈₉";

  // The same rule as megatron.core.display.price: four significant digits, many leading zeros as a subscript.
  function price(value) {
    if (!Number.isFinite(value)) return "";
    if (value === 0) return "0";
    const [mantissa, exponent] = Math.abs(value).toExponential(3).split("e");
    const zeros = -Number(exponent) - 1;
    const sign = value < 0 ? "-" : "";
    if (zeros >= 3) {
      const digits = mantissa.replace(".", "").replace(/0+$/, "");
      return `${sign}0.0${String(zeros).replace(/\d/g, (digit) => SUBSCRIPT[digit])}${digits}`;
    }
    if (Math.abs(value) >= 1000) return value.toLocaleString("en-US", { maximumFractionDigits: 2 });
    return String(Number(value.toPrecision(4)));
  }

  function compact(value) {
    for (const [size, letter] of [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "K"]]) {
      if (Math.abs(value) >= size) return (value / size).toFixed(1) + letter;
    }
    return price(value);
  }

  function colours(element) {
    const style = getComputedStyle(element);
    const read = (name) => style.getPropertyValue(name).trim();
    // The chart cannot read oklch() or var(): a canvas turns any colour of the page into one it knows.
    const pen = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const plain = (colour) => {
      pen.clearRect(0, 0, 1, 1);
      pen.fillStyle = colour;
      pen.fillRect(0, 0, 1, 1);
      const [red, green, blue] = pen.getImageData(0, 0, 1, 1).data;
      return `rgb(${red}, ${green}, ${blue})`;
    };
    return {
      card: plain(read("--mg-card")),
      line: plain(read("--mg-line")),
      text: plain(read("--mg-quiet")),
      up: plain(read("--mg-up")),
      down: plain(read("--mg-down")),
      main: plain(read("--color-primary-500")),
      technical: plain(read("--mg-technical")),
      holder: plain(read("--mg-holder")),
      social: plain(read("--mg-social")),
    };
  }

  function faded(colour, share) {
    return colour.replace("rgb(", "rgba(").replace(")", `, ${share})`);
  }

  function frame(colour) {
    return {
      layout: { background: { type: "solid", color: colour.card }, textColor: colour.text, fontFamily: "Inter, sans-serif" },
      grid: { vertLines: { color: faded(colour.line, 0.6) }, horzLines: { color: faded(colour.line, 0.6) } },
      rightPriceScale: { borderColor: colour.line },
      timeScale: { borderColor: colour.line, timeVisible: true, secondsVisible: false, rightOffset: 6 },
    };
  }

  function draw(element) {
    const colour = colours(element);
    return LightweightCharts.createChart(element, {
      autoSize: true,
      crosshair: { mode: LightweightCharts.CrosshairMode.Normal },
      localization: { timeFormatter: (time) => `${new Date(time * 1000).toISOString().slice(0, 16).replace("T", " ")} UTC` },
      ...frame(colour),
    });
  }

  // Colours follow the theme when the operator switches it.
  function onTheme(listener) {
    new MutationObserver(listener).observe(document.documentElement, { attributes: true, attributeFilter: ["class"] });
  }

  function say(element, title, text) {
    element.hidden = title === "";
    element.querySelector("strong").textContent = title;
    element.querySelector("span").textContent = text;
  }

  function candles(section) {
    const canvas = section.querySelector("[data-canvas]");
    const empty = section.querySelector("[data-empty]");
    const legend = section.querySelector("[data-legend]");
    const buttons = Array.from(section.querySelectorAll("[data-set]"));
    const wanted = { interval: section.dataset.interval, currency: localStorage.getItem("mgCurrency") || "quote" };
    const chart = draw(canvas);
    const format = { type: "custom", formatter: price, minMove: 1e-14 };
    const series = chart.addSeries(LightweightCharts.CandlestickSeries, { priceFormat: format, borderVisible: false });
    const volume = chart.addSeries(LightweightCharts.HistogramSeries, {
      priceScaleId: "volume",
      priceFormat: { type: "custom", formatter: compact, minMove: 1e-9 },
      lastValueVisible: false,
      priceLineVisible: false,
    });
    chart.priceScale("volume").applyOptions({ scaleMargins: { top: 0.82, bottom: 0 } });
    chart.priceScale("right").applyOptions({ scaleMargins: { top: 0.08, bottom: 0.24 } });
    const markers = LightweightCharts.createSeriesMarkers(series, []);
    let shown = { bars: [], markers: [], unit: "" };
    let asked = 0;

    function paint(fit) {
      const colour = colours(section);
      chart.applyOptions(frame(colour));
      series.applyOptions({ upColor: colour.up, downColor: colour.down, wickUpColor: colour.up, wickDownColor: colour.down });
      series.setData(shown.bars.map(([time, open, high, low, close]) => ({ time, open: +open, high: +high, low: +low, close: +close })));
      volume.setData(
        shown.bars.map(([time, open, , , close, amount]) => ({
          time, value: +amount, color: faded(+close >= +open ? colour.up : colour.down, 0.45),
        })),
      );
      markers.setMarkers(
        shown.markers.map(({ time, text }) => ({ time, text, position: "aboveBar", shape: "arrowDown", color: colour.main })),
      );
      if (!fit) return;
      // Eight pixels a candle and room for a marker's text at the right, once the price axis has taken its width.
      requestAnimationFrame(() => {
        const fitting = Math.max(24, Math.floor(canvas.clientWidth / 8));
        const last = shown.bars.length;
        chart.timeScale().setVisibleLogicalRange({ from: last - Math.min(fitting, Math.max(last, 40)), to: last + 6 });
      });
    }

    function tell(bar) {
      legend.replaceChildren();
      if (!bar) return;
      const [time, open, high, low, close, amount, trades] = bar;
      const change = +open ? ((+close - +open) / +open) * 100 : 0;
      const parts = [
        ["", `${new Date(time * 1000).toISOString().slice(0, 16).replace("T", " ")} UTC`],
        ["O", price(+open)], ["H", price(+high)], ["L", price(+low)], ["C", price(+close)],
        ["", `${change >= 0 ? "+" : ""}${change.toFixed(2)} %`],
        ["Vol", `${compact(+amount)} ${shown.volume_unit}`],
        ["Trades", String(trades)],
      ];
      for (const [name, value] of parts) {
        const part = document.createElement("span");
        const strong = document.createElement("b");
        strong.textContent = value;
        part.append(name ? `${name} ` : "", strong);
        legend.append(part);
      }
    }

    async function load(fit) {
      const number = ++asked;
      for (const button of buttons) button.setAttribute("aria-pressed", String(wanted[button.dataset.set] === button.value));
      try {
        const reply = await fetch(`${section.dataset.url}?interval=${wanted.interval}&currency=${wanted.currency}`);
        if (!reply.ok) throw new Error(`the server answered ${reply.status}`);
        const next = await reply.json();
        if (number !== asked) return;
        shown = next;
      } catch (error) {
        if (number === asked) say(empty, "The chart could not be loaded", `${error.message}. It is tried again every 15 seconds.`);
        return;
      }
      say(empty, shown.empty ? "No candles to draw" : "", shown.empty || "");
      paint(fit);
      tell(shown.bars.at(-1));
      section.dataset.drawn = String(shown.bars.length);
    }

    chart.subscribeCrosshairMove((move) => {
      tell(shown.bars.find(([time]) => time === move.time) || shown.bars.at(-1));
    });
    for (const button of buttons) {
      button.addEventListener("click", () => {
        wanted[button.dataset.set] = button.value;
        if (button.dataset.set === "currency") localStorage.setItem("mgCurrency", button.value);
        load(true);
      });
    }
    onTheme(() => paint(false));
    setInterval(() => document.hidden || load(false), 15000);
    load(true);
  }

  function lines(section) {
    const canvas = section.querySelector("[data-canvas]");
    const legend = section.querySelector("[data-legend]");
    const given = JSON.parse(document.getElementById(section.dataset.lines).textContent);
    if (!given.lines.some((line) => line.points.length)) return;
    const chart = draw(canvas);
    // Of three or more the first is the one that counts: it stands out, and no filling hides the others.
    const many = given.lines.length > 2;
    const tint = (colour, index) => {
      if (given.lines[index].tone) return colour[given.lines[index].tone];
      if (many) return [colour.main, colour.up, colour.down, colour.text][Math.min(index, 3)];
      return given.lines.length === 1 ? colour.main : index === 0 ? colour.up : colour.down;
    };
    const drawn = given.lines.map((line) => {
      const added = chart.addSeries(LightweightCharts.AreaSeries, {
        lineWidth: 2, priceLineVisible: false, lastValueVisible: given.lines.length === 1,
        priceFormat: { type: "custom", formatter: given.whole ? (value) => String(Math.round(value)) : price, minMove: given.whole ? 1 : 1e-6 },
      });
      added.setData(line.points.map(([time, value]) => ({ time, value: +value })));
      return added;
    });

    function paint() {
      const colour = colours(section);
      chart.applyOptions(frame(colour));
      drawn.forEach((added, index) => {
        const own = tint(colour, index);
        const filling = many || given.lines[index].tone ? 0 : 0.28;
        added.applyOptions({ lineColor: own, lineWidth: (many || given.lines[index].tone) && index ? 1 : 2, topColor: faded(own, filling), bottomColor: faded(own, filling / 14) });
      });
      legend.querySelectorAll("span").forEach((name, index) => { name.style.color = tint(colour, index); });
    }

    function tell(move) {
      const newest = given.lines[0].points.at(-1)[0];
      const time = move?.time ?? newest;
      const parts = given.lines.map((line) => {
        const found = line.points.find(([at]) => at === time);
        return `${line.name} ${found ? (given.whole ? found[1] : price(+found[1])) : "—"}`;
      });
      const told = `${new Date(time * 1000).toISOString().slice(0, 16).replace("T", " ")} UTC   `;
      if (parts.length === 1) {
        legend.textContent = told + parts[0];
        return;
      }
      const own = colours(section);
      legend.replaceChildren(told, ...parts.map((part, index) => {
        const name = document.createElement("span");
        name.textContent = `${part}   `;
        name.style.color = tint(own, index);
        return name;
      }));
    }

    chart.subscribeCrosshairMove(tell);
    onTheme(paint);
    paint();
    tell();
    chart.timeScale().fitContent();
    section.dataset.drawn = String(given.lines[0].points.length);
  }

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    event.preventDefault();
    await navigator.clipboard.writeText(button.dataset.copy);
    const before = button.textContent;
    button.textContent = "copied";
    button.classList.add("mg-copied");
    setTimeout(() => {
      button.textContent = before;
      button.classList.remove("mg-copied");
    }, 1200);
  });

  window.addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll("[data-candles]").forEach(candles);
    document.querySelectorAll("[data-lines]").forEach(lines);
  });
})();
