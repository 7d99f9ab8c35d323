// A client of the stream with the npm package ws. It prints a line of JSON for each thing it tries: its name, and what came of it.
const WebSocket = require('ws')
const url = process.argv[2]
const hello = JSON.stringify({ type: 'hello', env: 'prod', client: { name: 'ws' } })

function open(options) {
  return new WebSocket(url, 'trunkline.v1.json', { followRedirects: false, ...options })
}

// closes tries something once the connection is open, and tells the close code that follows.
function closes(name, options, doing) {
  return new Promise((resolve) => {
    const ws = open(options)
    let error = ''
    ws.on('open', () => doing(ws))
    ws.on('message', (data) => {
      const m = JSON.parse(data)
      if (m.type === 'error') error = m.code
    })
    ws.on('error', () => {})
    ws.on('close', (code) => {
      console.log(JSON.stringify({ name, result: `${code} ${error}`.trim() }))
      resolve()
    })
  })
}

// follows says hello and tells what its values are after an update, with or without compression.
function follows(name, options) {
  return new Promise((resolve) => {
    const ws = open(options)
    let parts = null
    const seen = []
    function values(m, text) {
      seen.push(`${m.reason}:${Object.keys(JSON.parse(text)).join()}`)
      ws.send(JSON.stringify({ type: 'ack', cursor: m.cursor }))
      if (seen.length === 1) ws.send(JSON.stringify({ type: 'update', patterns: ['small'] }))
      else ws.close(1000)
    }
    ws.on('open', () => ws.send(hello, { compress: true }))
    ws.on('message', (data) => {
      const m = JSON.parse(data)
      if (m.type === 'snapshot' && m.chunks) parts = { m, texts: [] }
      else if (m.type === 'snapshot') values(m, JSON.stringify(m.values))
      else if (m.type === 'chunk') {
        parts.texts[m.index] = m.data
        if (m.index === parts.m.chunks - 1) values(parts.m, parts.texts.join(''))
      }
    })
    ws.on('close', (code) => {
      console.log(JSON.stringify({ name, result: `${code} ${ws.extensions ? 'deflate ' : ''}${seen.join(' ')}` }))
      resolve()
    })
  })
}

const greeted = (then) => (ws) => {
  ws.send(hello)
  ws.once('message', () => then(ws))
}

async function run() {
  await follows('plain', { perMessageDeflate: false })
  await follows('compressed', { perMessageDeflate: { threshold: 0 } })
  await follows('small windows', { perMessageDeflate: { threshold: 0, serverMaxWindowBits: 10, clientMaxWindowBits: 10 } })
  await closes('garbage', {}, (ws) => ws.send('garbage'))
  await closes('binary', {}, (ws) => ws.send(Buffer.from(hello)))
  await closes('unmasked', {}, (ws) => ws.send(hello, { mask: false }))
  await closes('raw bytes', {}, (ws) => ws._socket.write(Buffer.alloc(100, 0xff)))
  await closes('too large', { perMessageDeflate: false }, (ws) => ws.send(' '.repeat(70000) + hello))
  await closes('bomb', { perMessageDeflate: { threshold: 0 } }, (ws) => ws.send(' '.repeat(30 << 20)))
  await closes('endless fragments', { perMessageDeflate: false }, (ws) => {
    const more = setInterval(() => ws.readyState === 1 ? ws.send('x'.repeat(1000), { fin: false }) : clearInterval(more), 1)
  })
  await closes('pings', {}, greeted((ws) => { for (let n = 0; n < 5000; n++) ws.ping('flood') }))
  await closes('updates', {}, greeted((ws) => { for (let n = 0; n < 50; n++) ws.send('{"type":"update","patterns":["a"]}') }))
  await closes('nobody', {}, greeted((ws) => ws.send('{"type":"ack"}')))
  await closes('goes', {}, greeted((ws) => ws.close(4000, 'enough')))
}
run()
