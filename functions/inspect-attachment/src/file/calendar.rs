//! Calendars (RFC 5545): where their text leads, and what they carry.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::{
    budget::{Budget, Limit},
    contents::Contents,
    octets::text_of,
};

pub(crate) fn read(octets: &[u8], budget: &mut Budget) -> Contents<'static> {
    let mut contents = Contents::default();
    let text = text_of(octets);
    // Folded lines go on after a line break and one blank (§3.1).
    let unfolded = text.replace("\r\n ", "").replace("\r\n\t", "").replace("\n ", "").replace("\n\t", "");
    for line in unfolded.lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        let name = name.to_ascii_uppercase();
        if name.starts_with("ATTACH") && name.contains("ENCODING=BASE64") {
            if let Err(limit) = attached(&name, value, budget, &mut contents) {
                contents.exceeded(limit);
                break;
            }
        } else {
            addresses(line, &mut contents);
        }
    }
    contents
}

fn attached(name: &str, value: &str, budget: &mut Budget, contents: &mut Contents<'static>) -> Result<(), Limit> {
    budget.take_entry()?;
    let file_name =
        name.split(';').find_map(|parameter| parameter.split_once("FILENAME=")).map_or("", |(_, name)| name);
    let Ok(octets) = STANDARD.decode(value.trim()) else { return Ok(()) };
    budget.take_octets(octets.len())?;
    contents.file(file_name.trim_matches('"').to_ascii_lowercase(), octets);
    Ok(())
}

/// Addresses in a text, up to what no address has.
fn addresses(line: &str, contents: &mut Contents<'_>) {
    let mut rest = line;
    while let Some(at) = rest.find("://") {
        let (before, _) = rest.split_at(at);
        let scheme = before.len() - before.bytes().rev().take_while(u8::is_ascii_alphanumeric).count();
        let found = rest.get(scheme..).unwrap_or_default();
        let is_end = |c: char| c.is_whitespace() || matches!(c, '"' | '<' | '>' | '\\' | ')' | ']');
        let (address, after) = found.split_at(found.find(is_end).unwrap_or(found.len()));
        contents.link(address.trim_end_matches(['.', ',', ';']));
        rest = if after.len() < rest.len() { after } else { "" };
    }
}
