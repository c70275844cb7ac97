#!/usr/bin/env node
// MQTT.js against the broker.
//
// usage: mqttjs_test.js PORT VERSION [ws | wss CA]   (3.1.1 or 5)
'use strict'

const assert = require('assert')

let mqtt
try {
  mqtt = require('mqtt')
} catch (error) {
  console.log('left out: node-mqtt is not installed, or not in NODE_PATH')
  process.exit(77)
}

const port = Number(process.argv[2])
const version = process.argv[3] === '5' ? 5 : 4
const protocol = process.argv[4] || 'mqtt'
const ca = process.argv[5] && require('fs').readFileSync(process.argv[5])
const patience = 20000
const texts = Array.from({ length: 50 }, (_, i) => String(i))

function within (what, promise) {
  let timer
  const late = new Promise((resolve, reject) => {
    timer = setTimeout(() => reject(new Error('no ' + what)), patience)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

/** A connected client; `take` waits for messages. */
class Client {
  static open (id, more = {}) {
    const clean = more.clean !== false
    const made = new Client()
    made.messages = []
    made.waiting = null
    made.link = mqtt.connect({
      host: '127.0.0.1',
      port,
      protocol,
      ca,
      path: protocol === 'mqtt' ? undefined : '/mqtt',
      clientId: id,
      protocolVersion: version,
      clean,
      reconnectPeriod: 0,
      properties: version === 5
        ? { sessionExpiryInterval: clean ? 0 : 300 }
        : undefined,
      ...more
    })
    made.link.on('message', (topic, payload, packet) => {
      made.messages.push([topic, packet.qos, packet.retain, String(payload)])
      if (made.waiting) made.waiting()
    })
    return within('CONNACK of ' + id, new Promise((resolve, reject) => {
      made.link.on('error', reject)
      made.link.on('connect', connack => {
        made.sessionPresent = connack.sessionPresent
        resolve(made)
      })
    }))
  }

  subscribe (filter, qos) {
    return within('SUBACK', new Promise((resolve, reject) => {
      this.link.subscribe(filter, { qos }, (error, granted) => {
        if (error) return reject(error)
        assert.strictEqual(granted[0].qos, qos)
        resolve()
      })
    }))
  }

  publish (topic, payloads, qos, retain = false) {
    return within('acknowledgement', Promise.all(payloads.map(x =>
      new Promise((resolve, reject) => {
        this.link.publish(topic, x, { qos, retain },
          error => error ? reject(error) : resolve())
      }))))
  }

  take (count) {
    return within(count + ' messages', new Promise(resolve => {
      this.waiting = () => {
        if (this.messages.length < count) return
        this.waiting = null
        resolve(this.messages.splice(0, count))
      }
      this.waiting()
    }))
  }

  close () {
    return new Promise(resolve => this.link.end(false, {}, resolve))
  }

  drop () {
    this.link.stream.destroy()
  }
}

const tests = {
  async roundTrip () {
    const client = await Client.open('trip')
    for (const qos of [0, 1, 2]) {
      await client.subscribe('trip/' + qos, qos)
      await client.publish('trip/' + qos, texts, qos)
      assert.deepStrictEqual(await client.take(50),
        texts.map(x => ['trip/' + qos, qos, false, x]))
    }
    await client.close()
  },

  async retained () {
    const writer = await Client.open('writer')
    await writer.publish('kept', ['state'], 1, true)
    const reader = await Client.open('reader')
    await reader.subscribe('kept', 2)
    assert.deepStrictEqual(await reader.take(1),
      [['kept', 1, true, 'state']])
    await writer.publish('kept', [''], 1, true)
    assert.deepStrictEqual(await reader.take(1), [['kept', 1, false, '']])
    const late = await Client.open('late')
    await late.subscribe('kept', 2)
    await late.publish('kept', ['live'], 0)
    assert.deepStrictEqual(await late.take(1), [['kept', 0, false, 'live']])
    for (const x of [writer, reader, late]) await x.close()
  },

  async will () {
    const watcher = await Client.open('watcher')
    await watcher.subscribe('gone/+', 2)
    const dying = await Client.open('dying', {
      will: { topic: 'gone/dying', payload: 'lost', qos: 2, retain: false }
    })
    dying.drop()
    assert.deepStrictEqual(await watcher.take(1),
      [['gone/dying', 2, false, 'lost']])
    await watcher.close()
  },

  async sharedSubscription () {
    const members = [await Client.open('member0'), await Client.open('member1')]
    for (const x of members) await x.subscribe('$share/group/work', 2)
    const boss = await Client.open('boss')
    await boss.publish('work', texts.slice(0, 20), 2)
    const got = [...await members[0].take(10), ...await members[1].take(10)]
    assert.deepStrictEqual(got.map(x => Number(x[3])).sort((a, b) => a - b),
      Array.from({ length: 20 }, (_, i) => i))
    for (const x of [...members, boss]) await x.close()
  },

  async sessionResumes () {
    const first = await Client.open('sleeper', { clean: false })
    assert.strictEqual(first.sessionPresent, false)
    for (const qos of [1, 2]) await first.subscribe('away/' + qos, qos)
    await first.close()
    const writer = await Client.open('writer')
    for (const qos of [1, 2]) await writer.publish('away/' + qos, texts, qos)
    const again = await Client.open('sleeper', { clean: false })
    assert.strictEqual(again.sessionPresent, true)
    const got = await again.take(100)
    for (const qos of [1, 2]) {
      assert.deepStrictEqual(got.filter(x => x[1] === qos),
        texts.map(x => ['away/' + qos, qos, false, x]))
    }
    for (const x of [writer, again]) await x.close()
  }
}

async function main () {
  let failed = 0
  for (const [name, run] of Object.entries(tests)) {
    try {
      await run()
      console.log('ok      ' + name)
    } catch (error) {
      failed++
      console.log('FAILED  ' + name + '\n' + error.stack)
    }
  }
  process.exit(failed ? 1 : 0)
}

main()
