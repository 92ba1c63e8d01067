// Checks the signatures of a message: node dkim.mjs MESSAGE ZONE
//
// ZONE has lines as `alert-relay dkim-record` prints them; nobody else is asked. Prints a JSON list of
// {"algorithm", "domain", "selector", "result", "aligned", "comment"}.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'

const require = createRequire(path.join(process.env.NODE_FOLDER, 'package.json'))
const { dkimVerify } = require('mailauth/lib/dkim/verify')

const [message, zone] = process.argv.slice(2)
const records = new Map()
for (const line of readFileSync(zone, 'utf8').split('\n').filter(Boolean)) {
  const name = line.split(' ')[0].replace(/\.$/, '')
  const strings = [...line.matchAll(/"([^"]*)"/g)].map((match) => match[1])
  if (strings.some((string) => string.length > 255)) throw new Error(`${name}: a string of over 255 bytes`)
  records.set(name, strings)
}

async function resolver(name, type) {
  if (type === 'TXT' && records.has(name)) return [records.get(name)]
  throw Object.assign(new Error(`${name}: ${type} is not there`), { code: 'ENOTFOUND' })
}

const { results } = await dkimVerify(readFileSync(message), { resolver })
const told = results.map((one) => ({
  algorithm: one.algo,
  domain: one.signingDomain,
  selector: one.selector,
  result: one.status.result,
  aligned: one.status.aligned ?? false,
  comment: one.status.comment ?? null,
}))
console.log(JSON.stringify(told))
