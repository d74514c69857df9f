//! Names as DNS can be asked for them (RFC 1035 §2.3.4), and the ones that stand for addresses (RFC 1035 §3.5, RFC 3596).

use std::net::IpAddr;

/// A label has at most this many octets.
const MAX_LABEL_OCTETS: usize = 63;
/// A name has at most this many octets without the root dot.
const MAX_NAME_OCTETS: usize = 253;

/// Makes a name of an expanded domain-spec: leading labels go until the rest fits (RFC 7208 §7.3), and the trailing dot.
///
/// `None` when DNS cannot be asked for it: an empty or too long label, or a character outside of ASCII (RFC 8616 §4).
pub(super) fn fitted(expansion: &str) -> Option<&str> {
    if !expansion.is_ascii() {
        return None;
    }
    let name = without_root_dot(expansion);
    let fitting = match name.len().checked_sub(MAX_NAME_OCTETS) {
        None | Some(0) => name,
        // The first dot that is followed by at most so many octets.
        Some(excess) => name.get(excess - 1..)?.split_once('.')?.1,
    };
    is_nameable(fitting).then_some(fitting)
}

/// Whether a name can be asked for. It has no trailing dot.
pub(crate) fn is_nameable(name: &str) -> bool {
    name.len() <= MAX_NAME_OCTETS && name.is_ascii() && name.split('.').all(|label| is_label_length(label.len()))
}

pub(super) fn without_root_dot(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

/// Whether `name` is `ancestor` or a subdomain of it. Neither has a trailing dot.
pub(crate) fn is_at_or_under(name: &str, ancestor: &str) -> bool {
    let Some(start) = name.len().checked_sub(ancestor.len()) else { return false };
    let (Some(above), Some(tail)) = (name.get(..start), name.get(start..)) else { return false };
    tail.eq_ignore_ascii_case(ancestor) && (above.is_empty() || above.ends_with('.'))
}

/// Where the PTR records of an address are.
pub(super) fn reverse_name(ip: IpAddr) -> String {
    let dotted = dotted(ip);
    let reversed: Vec<&str> = dotted.rsplit('.').collect();
    format!("{}.{}.arpa", reversed.join("."), reverse_zone(ip))
}

/// The address in parts between dots: decimal octets of IPv4, upper-case nibbles of IPv6 (RFC 7208 §7.3).
pub(super) fn dotted(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => {
            let nibbles = ip.octets().into_iter().flat_map(|octet| [octet >> 4, octet & 0xf]);
            let nibbles: Vec<String> = nibbles.map(|nibble| format!("{nibble:X}")).collect();
            nibbles.join(".")
        }
    }
}

/// What stands before `arpa`.
pub(super) fn reverse_zone(ip: IpAddr) -> &'static str {
    if ip.is_ipv4() { "in-addr" } else { "ip6" }
}

fn is_label_length(octets: usize) -> bool {
    (1..=MAX_LABEL_OCTETS).contains(&octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_dns_cannot_be_asked_for_is_none() {
        let longest_label = "a".repeat(63) + ".example";
        let long_label = "a".repeat(64) + ".example";
        for (expansion, name) in [
            ("mail.example.com", Some("mail.example.com")),
            ("mail.example.com.", Some("mail.example.com")),
            ("foo:bar/b az.example", Some("foo:bar/b az.example")),
            ("single", Some("single")),
            (longest_label.as_str(), Some(longest_label.as_str())),
            (long_label.as_str(), None),
            ("mail.example...com", None),
            ("mail.example.com..", None),
            (".example", None),
            (".", None),
            ("", None),
            ("b\u{fc}cher.example", None),
        ] {
            assert_eq!(fitted(expansion), name, "{expansion:?}");
        }
    }

    #[test]
    fn a_long_name_loses_leading_labels_until_it_has_253_octets() {
        let label = format!(".{}", "a".repeat(61));
        let tail = label.repeat(4);
        assert_eq!(tail.len(), 248);
        for (head, fitting) in [
            ("12345", format!("12345{tail}")),
            ("1.2345", format!("2345{tail}")),
            ("1.23456", format!("23456{tail}")),
            ("1.234567", tail[1..].to_owned()),
            ("123456", tail[1..].to_owned()),
            ("1.2.3.45", format!("3.45{tail}")),
        ] {
            assert_eq!(fitted(&format!("{head}{tail}")), Some(fitting.as_str()), "{head}");
        }
        assert_eq!(fitted(&"a".repeat(60_000)), None);
    }

    #[test]
    fn a_subdomain_ends_at_a_dot() {
        for (name, ancestor, expected) in [
            ("example.com", "example.com", true),
            ("Mail.Example.com", "example.COM", true),
            ("badexample.com", "example.com", false),
            ("com", "example.com", false),
            ("\u{fc}.example", "x.example", false),
        ] {
            assert_eq!(is_at_or_under(name, ancestor), expected, "{name} under {ancestor}");
        }
    }

    #[test]
    fn the_reverse_name_of_an_address_has_its_parts_backwards() {
        for (ip, name) in [
            ("192.0.2.1", "1.2.0.192.in-addr.arpa"),
            ("2001:db8::a1", "1.A.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.D.0.1.0.0.2.ip6.arpa"),
        ] {
            assert_eq!(reverse_name(ip.parse().expect("an address")), name);
        }
    }
}
