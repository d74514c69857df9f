//! Address literals: an IP address in brackets where a domain could stand (RFC 5321 §4.1.3).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What stands in brackets is neither `IPv4-address-literal` nor `IPv6-address-literal`.
///
/// A `General-address-literal` needs a tag registered with IANA, of which `IPv6` is still the only one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an IPv4 or IPv6 address literal")]
pub struct LiteralError;

/// Reads an address literal with its brackets, such as `[192.0.2.1]` or `[IPv6:2001:db8::1]`.
///
/// # Errors
/// When brackets or address are malformed.
pub fn parse_literal(text: &str) -> Result<IpAddr, LiteralError> {
    let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).ok_or(LiteralError)?;
    let address = match strip_tag(inner) {
        Some(address) => address.parse::<Ipv6Addr>().map(IpAddr::V6),
        None => inner.parse::<Ipv4Addr>().map(IpAddr::V4),
    };
    address.map_err(|_| LiteralError)
}

/// Writes an address literal with its brackets.
pub(super) fn show_literal(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => format!("[{v4}]"),
        IpAddr::V6(v6) => format!("[IPv6:{v6}]"),
    }
}

fn strip_tag(inner: &str) -> Option<&str> {
    let (tag, address) = inner.split_once(':')?;
    tag.eq_ignore_ascii_case("IPv6").then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_registered_literals_parse_and_they_are_shown_canonically() {
        for (text, expected) in [
            ("[192.0.2.1]", Some("[192.0.2.1]")),
            ("[IPv6:2001:DB8:0:0::1]", Some("[IPv6:2001:db8::1]")),
            ("[ipv6:::1]", Some("[IPv6:::1]")),
            ("[IPv6::1]", None),
            ("[2001:db8::1]", None),
            ("[192.0.2.256]", None),
            ("[192.0.2.1", None),
            ("[tag:text]", None),
            ("[]", None),
            ("[", None),
        ] {
            assert_eq!(parse_literal(text).ok().map(show_literal).as_deref(), expected, "{text}");
        }
    }
}
