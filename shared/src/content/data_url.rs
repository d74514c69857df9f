//! A page or file within an address (RFC 2397).

use super::{field_value::percent_decoded, transfer_encoding::TransferEncoding};

/// What stands in a `data:` address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataUrl {
    /// `type/subtype`, lower case; empty when none is given, which means plain text.
    pub media_type: String,
    pub octets: Vec<u8>,
}

impl DataUrl {
    /// `None` for another scheme, and without the comma that begins the data.
    #[must_use]
    pub fn parse(address: &str) -> Option<Self> {
        let address = address.trim_start_matches(|c: char| c <= ' ');
        let is_data = address.get(..5)?.eq_ignore_ascii_case("data:");
        let (head, data) = address.get(5..).filter(|_| is_data)?.split_once(',')?;
        let octets = percent_decoded(data.as_bytes());
        let is_base64 = head.rsplit(';').next().is_some_and(|last| last.trim().eq_ignore_ascii_case("base64"));
        let octets = if is_base64 { TransferEncoding::Base64.decode(&octets).octets.into_owned() } else { octets };
        let media_type = head.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        Some(Self { media_type, octets })
    }

    /// A browser shows it as a page, scripts included.
    #[must_use]
    pub fn is_page(&self) -> bool {
        ["html", "xml", "svg"].iter().any(|word| self.media_type.contains(word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_address_holds_is_decoded() {
        for (address, expected) in [
            ("data:text/html,<p>a%20b", Some(("text/html", "<p>a b"))),
            (" DATA:Text/HTML;charset=utf-8;BASE64,PHA%2b", Some(("text/html", "<p>"))),
            ("data:,a", Some(("", "a"))),
            ("data:text/html", None),
            ("date:,a", None),
            ("dat\u{e9}", None),
        ] {
            let found = DataUrl::parse(address);
            let found = found.as_ref().map(|data| (data.media_type.as_str(), data.octets.as_slice()));
            assert_eq!(found, expected.map(|(kind, text)| (kind, text.as_bytes())), "{address}");
        }
    }
}
