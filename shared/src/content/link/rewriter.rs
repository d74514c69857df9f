//! Addresses within addresses: of services that check links for their receivers, and of whatever leads on to what its own
//! address names. What is meant is the address within.

use base64::{Engine, alphabet, engine};

use super::{Target, target::Address};
use crate::content::field_value::percent_decoded;

/// Addresses within each other that are followed. Two gateways in a row are usual.
pub(super) const MAX_WRAPS: usize = 4;

/// Octets of an encoded value that are decoded.
const MAX_ENCODED: usize = 8_192;

/// How addresses begin in base64: `http://` and `https://`.
const ENCODED: [&str; 2] = ["aHR0cDovL", "aHR0cHM6Ly"];

/// Marks that gateways put behind an address in their path: Proofpoint's, Check Point's.
const ENDS: [&str; 2] = ["__;", "___."];

const BASE64: engine::GeneralPurpose = engine::GeneralPurpose::new(
    &alphabet::URL_SAFE,
    engine::GeneralPurposeConfig::new()
        .with_decode_padding_mode(engine::DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

impl Address {
    /// The address that a parameter or the path has, whole: that of a redirection. One level, and the first one found.
    #[must_use]
    pub fn embedded(&self) -> Option<String> {
        let in_values = self.url.query_pairs().find_map(|(_, value)| whole(&value));
        in_values.or_else(|| {
            let path = String::from_utf8_lossy(&percent_decoded(self.url.path().as_bytes())).into_owned();
            let starts = ["http://", "https://"].iter().filter_map(|scheme| path.find(scheme));
            let found = path.get(starts.min()?..)?;
            let end = ENDS.iter().filter_map(|mark| found.find(mark)).min();
            found.get(..end.unwrap_or(found.len())).map(str::to_owned)
        })
    }

    /// What a service that checks links leads on to. Some say no more of it than the host.
    pub(super) fn wrapped(&self) -> Option<String> {
        let parameter = |name: &str| self.url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value);
        let with_dashes = parameter("u").filter(|value| value.starts_with("http-3A") || value.starts_with("https-3A"));
        let with_dashes = with_dashes.and_then(|value| whole(&without_dashes(&value)));
        with_dashes.or_else(|| self.embedded()).or_else(|| {
            let named = ["d", "domain", "url", "u", "a", "target"].into_iter().filter_map(parameter);
            named.filter(|value| is_host(value)).map(|host| format!("https://{host}")).next()
        })
    }

    /// Whether one of its parameters names the domain, as address or as host.
    pub(super) fn names(&self, is_domain: impl Fn(&Self) -> bool) -> bool {
        let hosts =
            self.url.query_pairs().filter(|(_, value)| is_host(value)).map(|(_, host)| format!("https://{host}"));
        let targets = self.embedded().into_iter().chain(hosts);
        targets.map(|target| Target::parse(&target)).any(|target| match target {
            Target::Web(inner) => is_domain(&inner),
            Target::Share | Target::Nowhere | Target::Other { .. } => false,
        })
    }
}

/// The value, if it is an address as it stands or in base64.
fn whole(value: &str) -> Option<String> {
    let lower = value.get(..8).unwrap_or(value).to_ascii_lowercase();
    let is_plain = lower.starts_with("http://") || lower.starts_with("https://");
    if is_plain || (value.starts_with("//") && 4 < value.len()) {
        return Some(value.to_owned());
    }
    if !ENCODED.iter().any(|start| value.starts_with(start)) || MAX_ENCODED < value.len() {
        return None;
    }
    let encoded: String = value.trim_end_matches('=').replace(['+', ' '], "-").replace('/', "_");
    String::from_utf8(BASE64.decode(encoded).ok()?).ok()
}

/// `https-3A__www.example.com_path`, as Proofpoint writes it.
fn without_dashes(value: &str) -> String {
    let encoded = value.replace('_', "/").replace('-', "%");
    String::from_utf8_lossy(&percent_decoded(encoded.as_bytes())).into_owned()
}

/// `www.example.com`, with or without a path.
fn is_host(value: &str) -> bool {
    let host = value.split(['/', '?', '#', ':']).next().unwrap_or_default();
    let is_written = host.contains('.') && host.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-'));
    is_written && psl::suffix(host.as_bytes()).is_some_and(|suffix| suffix.is_known()) && !host.starts_with('.')
}

#[cfg(test)]
mod tests {
    use super::super::target::tests::address;

    #[test]
    fn an_address_in_an_address_is_found() {
        for (written, expected) in [
            ("https://a.example/?u=https%3A%2F%2Fb.example%2F", Some("https://b.example/")),
            ("https://a.example/r/https://b.example/c", Some("https://b.example/c")),
            ("https://a.example/?u=//b.example", Some("//b.example")),
            ("https://a.example/?r=aHR0cHM6Ly9iLmV4YW1wbGUvYw%3D%3D", Some("https://b.example/c")),
            ("https://a.example/v3/__https://b.example/c__;!!d", Some("https://b.example/c")),
            ("https://a.example/v2/___https://b.example/c___.YXAz", Some("https://b.example/c")),
            ("https://a.example/?u=b.example", None),
        ] {
            assert_eq!(address(written).embedded().as_deref(), expected, "{written}");
        }
    }

    #[test]
    fn what_a_gateway_wraps_is_found_as_it_writes_it() {
        for (written, expected) in [
            ("https://a.example/v2/url?u=https-3A__www.contoso.com_b-2Dc&d=DwMF", Some("https://www.contoso.com/b-c")),
            (
                "https://a.example/?d=contoso.com&u=aHR0cHM6Ly93d3cuY29udG9zby5jb20v&p=m",
                Some("https://www.contoso.com/"),
            ),
            ("https://a.example/s/4fGh?domain=contoso.com", Some("https://contoso.com")),
            ("https://a.example/url?a=https%3a%2f%2fcontoso.com&c=E,1", Some("https://contoso.com")),
            ("https://a.example/1x2y/https%3A%2F%2Fcontoso.com%2Fb", Some("https://contoso.com/b")),
            ("https://a.example/s/4fGh8Kq2", None),
        ] {
            assert_eq!(address(written).wrapped().as_deref(), expected, "{written}");
        }
    }
}
