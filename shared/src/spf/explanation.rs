//! What a domain owner says of a fail (RFC 7208 §6.2). Whatever is wrong with it, it is as if nothing had been said.

use super::{
    macro_string::{MacroString, Values},
    question::Data,
};

/// A longer explanation is not one: it goes into an SMTP reply, whose lines have at most 512 octets.
const MAX_EXPLANATION_OCTETS: usize = 1_000;

/// The explanation in the answer to the TXT question: one record, in ASCII.
pub(super) fn parse_explanation(records: Vec<Data>) -> Option<MacroString> {
    let [record] = <[Data; 1]>::try_from(records).ok()?;
    let text = String::from_utf8(record.text()?).ok()?;
    MacroString::explain_string(&text).ok()
}

/// Local-part and HELO are the client's words: the text is checked again, so that they cannot break a line.
pub(super) fn expand_explanation(explanation: &MacroString, values: &Values<'_>) -> Option<String> {
    let text = explanation.expand(values);
    let is_printable = text.bytes().all(|octet| matches!(octet, b' '..=b'~'));
    (is_printable && (1..=MAX_EXPLANATION_OCTETS).contains(&text.len())).then_some(text)
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::{
        super::session::{Identity, Session},
        *,
    };

    fn explain(texts: &[&str], mail_from: &str) -> Option<String> {
        let client_ip = "192.0.2.1".parse().expect("an address");
        let now = SystemTime::UNIX_EPOCH;
        let identity = Identity::of(&Session { client_ip, helo: "", mail_from, receiver: "", now });
        let values = Values { identity: &identity, domain: "example.com", validated_name: "unknown" };
        let records = texts.iter().map(|text| Data::Text(text.as_bytes().to_vec())).collect();
        expand_explanation(&parse_explanation(records)?, &values)
    }

    #[test]
    fn an_explanation_is_one_record_of_printable_ascii() {
        let long = "x".repeat(1_001);
        for (texts, mail_from, expected) in [
            (["Not from %{c}."].as_slice(), "a@example.com", Some("Not from 192.0.2.1.")),
            (&["%{l} was here"], "Ann Bee@example.com", Some("Ann Bee was here")),
            (&[""], "a@example.com", None),
            (&[], "a@example.com", None),
            (&["one", "two"], "a@example.com", None),
            (&["The %{x}-files"], "a@example.com", None),
            (&["\u{feff}text"], "a@example.com", None),
            (&["two\r\nlines"], "a@example.com", None),
            (&["%{l}"], "a\r\nb@example.com", None),
            (&["%{l}"], "\u{fc}@example.com", None),
            (&[long.as_str()], "a@example.com", None),
        ] {
            assert_eq!(explain(texts, mail_from).as_deref(), expected, "{texts:?} {mail_from:?}");
        }
    }
}
