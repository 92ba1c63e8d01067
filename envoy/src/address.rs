//! The caller's address out of what the host says of the connection.

/// The address alone: Envoy's `source.address` carries the port (`192.0.2.1:5312`, `[2001:db8::1]:5312`). The path of
/// a Unix socket stays as it is.
pub(crate) fn without_port(address: &str) -> &str {
    if let Some(rest) = address.strip_prefix('[') {
        return rest.split_once(']').map_or(address, |(inside, _)| inside);
    }
    match address.split_once(':') {
        // A second colon: an IPv6 address without brackets, which has no port to take off.
        Some((host, port)) if !port.contains(':') => host,
        _ => address,
    }
}

#[cfg(test)]
mod tests {
    use super::without_port;

    #[test]
    fn takes_the_port_off_every_form_of_address() {
        let cases = [
            ("127.0.0.1:5312", "127.0.0.1"),
            ("127.0.0.1", "127.0.0.1"),
            ("[::1]:5312", "::1"),
            ("[2001:db8::1]:80", "2001:db8::1"),
            ("[::ffff:192.0.2.1]:80", "::ffff:192.0.2.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("[::1", "[::1"),
            ("/run/envoy.sock", "/run/envoy.sock"),
            ("", ""),
        ];
        for (given, expected) in cases {
            assert_eq!(without_port(given), expected, "{given}");
        }
    }
}
