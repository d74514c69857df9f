//! Links in what a QR code says.

use super::{Link, Place, Target, links_of_text, shown::is_reserved};

/// Links of one code; one is what codes are for.
const MAX_LINKS_OF_CODE: usize = 8;

/// What a telephone offers to open, once its camera has read a code that says `text`.
///
/// That is all of the text, where it is an address, or a host with or without a path; or the addresses in a text, such as a business
/// card or an event. What else codes say is no link: tickets, payments, networks, secrets of second factors, numbers to call.
#[must_use]
pub fn links_of_code(text: &str) -> Vec<Link> {
    let whole = text.trim_matches(|c: char| c <= ' ');
    if is_bare(whole) {
        return vec![Link::new(&format!("http://{whole}"), Place::Code)];
    }
    if !whole.contains(char::is_whitespace) && Target::parse(whole) != Target::Nowhere {
        return vec![Link::new(whole, Place::Code)];
    }
    let mut links = links_of_text(text, Place::Code);
    links.truncate(MAX_LINKS_OF_CODE);
    links
}

/// `example.com/path`, which telephones open like an address.
fn is_bare(text: &str) -> bool {
    let host = text.split(['/', '?', '#']).next().unwrap_or_default();
    let name = host.split_once(':').map_or(host, |(name, port)| match port.parse::<u16>() {
        Ok(_) => name,
        Err(_) => "",
    });
    let is_name = name.contains('.') && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-'));
    let lower = name.to_ascii_lowercase();
    let has_suffix = || psl::suffix(lower.as_bytes()).is_some_and(|suffix| suffix.is_known());
    is_name && !text.contains(char::is_whitespace) && (has_suffix() || is_reserved(&lower))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_leads_where_a_telephone_goes() {
        for (text, expected) in [
            ("https://a.example/b?c=d", &["https://a.example/b?c=d"][..]),
            (" HTTPS://A.EXAMPLE/B\n", &["HTTPS://A.EXAMPLE/B"]),
            ("a.example/b", &["http://a.example/b"]),
            ("WWW.EXAMPLE.COM:8080/B", &["http://WWW.EXAMPLE.COM:8080/B"]),
            ("b\u{fc}cher.example", &["http://b\u{fc}cher.example"]),
            ("javascript:alert(1)", &["javascript:alert(1)"]),
            ("\\\\files.example\\a", &["\\\\files.example\\a"]),
            ("BEGIN:VCARD\r\nFN:Ann\r\nURL:https://a.example/\r\nEND:VCARD", &["https://a.example/"]),
            ("SMSTO:+15550100:see http://192.0.2.1/a", &["http://192.0.2.1/a"]),
            ("M1ANN/BOB EABC123 FRALHR 123.DE", &[]),
            ("4006381333931", &[]),
            ("ann@a.example", &[]),
            ("1.2.3", &[]),
            ("", &[]),
        ] {
            let found: Vec<String> = links_of_code(text).into_iter().map(|link| link.target).collect();
            assert_eq!(found, expected, "{text}");
        }
    }
}
