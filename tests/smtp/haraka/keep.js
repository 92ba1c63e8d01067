'use strict'
// Keeps each message that Haraka takes: as it is, and what is known of how it came.
// KEEP names the folder. A line that Haraka had to break, or a caller who did not log in, is refused.

const fs = require('node:fs')
const path = require('node:path')

let number = 0

exports.register = function () {
  this.register_hook('mail', 'known')
  // What comes from somebody who logged in would go out into the world.
  for (const hook of ['queue', 'queue_outbound']) this.register_hook(hook, 'keep')
}

exports.known = function (next, connection) {
  const shown = connection.tls.peerCertificate?.subject?.CN
  if (connection.notes.auth_user || (connection.tls.verified && shown)) return next()
  next(DENY, 'log in, or show a certificate')
}

exports.keep = function (next, connection) {
  const { transaction, tls, notes } = connection
  if (transaction.notes.data_line_length_exceeded) return next(DENY, 'a line is too long')
  const name = path.join(process.env.KEEP, String(++number).padStart(4, '0'))
  const how = {
    from: String(transaction.mail_from),
    to: transaction.rcpt_to.map(String),
    encrypted: tls.enabled,
    verified: tls.verified === true,
    certificate: tls.peerCertificate?.subject?.CN ?? null,
    user: notes.auth_user ?? null,
  }
  const file = fs.createWriteStream(`${name}.part`)
  file.once('close', () => {
    fs.writeFileSync(`${name}.json`, JSON.stringify(how))
    fs.renameSync(`${name}.part`, `${name}.eml`)
    next(OK)
  })
  transaction.message_stream.pipe(file)
}
