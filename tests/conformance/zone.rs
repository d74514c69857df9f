//! Zones of test data as master files (RFC 1035 §5).

use std::fmt::Write;

use serde_json::Value;

use super::{list, text};

/// What fits one character-string.
const STRING_OCTETS: usize = 255;

/// The records, and `;behaviour` lines for questions that are to fail. For the form of `zone` see `tests/data/README.md`.
pub(super) fn master_file(zone: &Value) -> String {
    let mut lines = String::new();
    for (name, node) in zone.as_object().expect("a zone has names") {
        if !is_speakable(name) {
            continue;
        }
        let owner = owner(name);
        for (record_type, value) in entries(node) {
            match record_type {
                "_behavior" => behaviours(&mut lines, &owner, value),
                _ => writeln!(lines, "{owner} 60 IN {record_type} {}", rdata(record_type, value)).expect("text grows"),
            }
        }
    }
    lines
}

/// Every record of a name, in both forms of the data, and its behaviour.
fn entries(node: &Value) -> Vec<(&str, &Value)> {
    let mut entries = Vec::new();
    match node {
        Value::Object(types) => {
            for (record_type, data) in types {
                match data {
                    Value::Array(records) => {
                        entries.extend(records.iter().map(|record| (record_type.as_str(), record)));
                    }
                    behaviour => entries.push((record_type.as_str(), behaviour)),
                }
            }
        }
        Value::Array(records) => {
            for record in records {
                match record {
                    Value::String(_) => entries.push(("_behavior", record)),
                    _ => entries.extend(record.as_object().expect("TYPE: data").iter().map(|(t, d)| (t.as_str(), d))),
                }
            }
        }
        other => panic!("{other} are no records"),
    }
    entries
}

fn behaviours(lines: &mut String, owner: &str, behaviour: &Value) {
    match behaviour {
        Value::String(all) => {
            writeln!(lines, ";behaviour {owner} * {}", all.to_ascii_lowercase()).expect("text grows");
        }
        types => {
            for (record_type, fault) in types.as_object().expect("TYPE: fault") {
                writeln!(lines, ";behaviour {owner} {record_type} {}", text(fault)).expect("text grows");
            }
        }
    }
}

/// Whether the name can be asked for (RFC 1035 §2.3.4).
fn is_speakable(name: &str) -> bool {
    name.len() < 254 && name.split('.').all(|label| (1..=63).contains(&label.len()))
}

/// What no host name holds is escaped (RFC 1035 §5.1).
fn owner(name: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '*');
    let written = name.chars().map(|c| if is_plain(c) { c.to_string() } else { format!("\\{:03}", u32::from(c)) });
    written.chain([".".to_owned()]).collect()
}

fn rdata(record_type: &str, value: &Value) -> String {
    match record_type {
        "TXT" => character_strings(value),
        "MX" => format!("{} {}", value[0], owner_or_root(text(&value[1]))),
        "A" | "AAAA" => text(value).to_owned(),
        _ => owner_or_root(text(value)),
    }
}

fn owner_or_root(name: &str) -> String {
    if name.is_empty() { ".".to_owned() } else { owner(name.trim_end_matches('.')) }
}

fn character_strings(value: &Value) -> String {
    let parts = value.as_array().map_or(std::slice::from_ref(value), |_| list(value));
    let strings: Vec<String> = parts.iter().flat_map(|part| split(text(part).as_bytes())).collect();
    // A TXT record has at least one string (RFC 1035 §3.3.14).
    if strings.is_empty() { "\"\"".to_owned() } else { strings.join(" ") }
}

fn split(octets: &[u8]) -> Vec<String> {
    let quoted = |chunk: &[u8]| {
        let plain = |octet: u8| (b' '..=b'~').contains(&octet) && !matches!(octet, b'"' | b'\\');
        let escaped = |o: u8| if plain(o) { char::from(o).to_string() } else { format!("\\{o:03}") };
        format!("\"{}\"", chunk.iter().map(|octet| escaped(*octet)).collect::<String>())
    };
    if octets.is_empty() { vec![quoted(octets)] } else { octets.chunks(STRING_OCTETS).map(quoted).collect() }
}

#[test]
fn a_zone_of_either_form_becomes_a_master_file() {
    let zone = serde_json::json!({
        "a.test": {"TXT": ["say \"hi\"", ["one", "two"], []], "_behavior": {"A": "timeout"}},
        "m.test": [{"MX": [0, ""]}, {"CNAME": "x.test"}, "TIMEOUT"],
        "b..test": {"A": ["192.0.2.1"]},
        "c d.test": {"A": ["192.0.2.1"]},
    });
    assert_eq!(
        master_file(&zone),
        "a.test. 60 IN TXT \"say \\034hi\\034\"\n\
         a.test. 60 IN TXT \"one\" \"two\"\n\
         a.test. 60 IN TXT \"\"\n\
         ;behaviour a.test. A timeout\n\
         m.test. 60 IN MX 0 .\n\
         m.test. 60 IN CNAME x.test.\n\
         ;behaviour m.test. * timeout\n\
         c\\032d.test. 60 IN A 192.0.2.1\n"
    );
}
