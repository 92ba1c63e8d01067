//! What an operator should look at when a step of a test mail fails.

use super::smtp::Step;

/// In plain words, by the step and what was said of it at `place`, whose name and port say nothing of what went wrong.
pub(super) fn advice(step: Step, place: &str, said: &str) -> &'static str {
    let said = said.strip_prefix(place).unwrap_or(said);
    let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
    match step {
        Step::Name => {
            "The server's name could not be found. Look at smtp.server for a slip of the pen, and at this machine's DNS."
        }
        Step::Connect | Step::StartTls if has(&["expired", "Expired", "NotValidYet", "not valid yet"]) => {
            "The server's certificate is out of date, or this machine's clock is wrong. Renew the one or set the other."
        }
        Step::Connect | Step::StartTls if has(&["not valid for name", "NotValidForName"]) => {
            "The certificate is for another name. Write into smtp.server the name that stands in the certificate, or have the \
             server get one for the name you use."
        }
        Step::Connect | Step::StartTls if has(&["UnknownIssuer", "CaUsedAsEndEntity"]) => {
            "Nobody that this machine trusts vouches for the certificate. If the server has an authority of its own, name it \
             in smtp.ca_file."
        }
        Step::Connect | Step::StartTls
            if has(&["CertificateRequired", "HandshakeFailure", "BadCertificate"]) =>
        {
            "The server wants a certificate of ours, or another one: look at smtp.certificate_file and smtp.key_file."
        }
        Step::Connect if has(&["refused"]) => {
            "Nothing listens there. Look at smtp.port (587 for starttls, 465 for implicit), and whether the server runs."
        }
        Step::Connect if has(&["certificate", "UnknownIssuer", "tls", "TLS", "corrupt", "handshake"]) => {
            "Encryption failed. If the server has an authority of its own, name it in smtp.ca_file; the name in smtp.server \
             must stand in its certificate; implicit is for port 465, starttls for 587."
        }
        Step::Connect if has(&["(554)", "(421)", "(550)"]) => {
            "The server does not want to talk to this machine. Ask its administrator whether this address may send."
        }
        Step::Connect => {
            "No conversation came about. Look whether a firewall is between, and whether it is a mail server that answers there."
        }
        Step::StartTls if has(&["offers no"]) => {
            "The server offers no encryption here. Try tls = \"implicit\" with port 465; none is for the same machine only."
        }
        Step::StartTls => {
            "Encryption failed. If the server has an authority of its own, name it in smtp.ca_file; the name in smtp.server \
             must stand in its certificate."
        }
        Step::LogIn if has(&["mechanism"]) => {
            "The server offers no way to log in that is configured. Look at smtp.auth; many servers offer it only with TLS."
        }
        Step::LogIn => {
            "The server did not accept who we are. Look at smtp.username and the password or token; some providers want a \
             password made for this application."
        }
        Step::Sender | Step::Message | Step::Data if has(&["(552)", "5.3.4"]) => {
            "The mail is larger than the server takes. Its administrator can raise the limit; templates of your own (mail.templates) \
             make mails smaller."
        }
        Step::Sender | Step::Recipient | Step::Data | Step::Message
            if has(&["(450)", "(451)", "(452)", "(421)"]) =>
        {
            "The server says not now: greylisting, a full mailbox or too much at once. The relay tries again by itself, so \
             wait some minutes and test again; if it stays so, ask the server's administrator."
        }
        Step::Sender => {
            "The server does not take mail from this sender. Look at mail.sender: may this account send as it?"
        }
        Step::Recipient if has(&["relay", "Relay", "(530)", "authenti"]) => {
            "The server passes nothing on for us. It may want a log-in (smtp.username), or this machine's address be allowed."
        }
        Step::Recipient => "The server does not take mail for this recipient. Look at the address.",
        Step::Data => "The server took sender and recipient, but no mail. Its words above say why.",
        Step::Message => {
            "The server had the whole mail and refused it: too big, taken for spam, or against its rules. Its words above say \
             why; SPF, DKIM and DMARC of the sender's domain are the usual reasons."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_or_a_port_that_looks_like_an_answer_is_none() {
        let at = |place: &str, step, says: &str| {
            advice(step, place, &format!("{place}: {}: {says}", step.as_str()))
        };
        for place in ["localhost:44215", "mx554.example.org:25", "refused.tls.example.org:5500"] {
            let dropped = at(place, Step::Connect, "response error: incomplete response");
            assert!(dropped.starts_with("No conversation"), "{place}: {dropped}");
            let unwanted = at(place, Step::Connect, "permanent error (554): 5.7.1 go away");
            assert!(unwanted.starts_with("The server does not want to talk"), "{place}: {unwanted}");
        }
        let unknown =
            at("relay.example.org:5301", Step::Recipient, "permanent error (550): 5.1.1 no such user");
        assert!(unknown.contains("Look at the address"), "{unknown}");
    }
}
