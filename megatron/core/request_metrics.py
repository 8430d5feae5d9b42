"""What is counted of requests: django-prometheus, with labels that no stranger can make up."""

from typing import Any

from django_prometheus.middleware import PrometheusAfterMiddleware


class RequestMetrics(PrometheusAfterMiddleware):
    """Counts requests. Every label is one of a few: the package takes a request's method as it came in one of its
    series, and strangers would make as many as they like."""

    def label_metric(self, metric: Any, request: Any, response: Any = None, **labels: str) -> Any:
        """Return the series of ``metric`` for ``labels``, in which an unknown method is an invalid one."""
        if "method" in labels:
            labels["method"] = self._method(request)
        return super().label_metric(metric, request, response, **labels)
