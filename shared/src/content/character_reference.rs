//! Character references of HTML (WHATWG HTML §13.5), as far as links can be hidden behind them.

use std::borrow::Cow;

/// Of 2,231 names those that stand for a character of a URL, for white space, or for nothing that is seen.
const NAMED: [(&str, char); 47] = [
    ("Tab", '\t'),
    ("NewLine", '\n'),
    ("amp", '&'),
    ("AMP", '&'),
    ("lt", '<'),
    ("LT", '<'),
    ("gt", '>'),
    ("GT", '>'),
    ("quot", '"'),
    ("QUOT", '"'),
    ("apos", '\''),
    ("excl", '!'),
    ("num", '#'),
    ("dollar", '$'),
    ("percnt", '%'),
    ("lpar", '('),
    ("rpar", ')'),
    ("ast", '*'),
    ("midast", '*'),
    ("plus", '+'),
    ("comma", ','),
    ("period", '.'),
    ("sol", '/'),
    ("colon", ':'),
    ("semi", ';'),
    ("equals", '='),
    ("quest", '?'),
    ("commat", '@'),
    ("lsqb", '['),
    ("lbrack", '['),
    ("bsol", '\\'),
    ("rsqb", ']'),
    ("rbrack", ']'),
    ("Hat", '^'),
    ("lowbar", '_'),
    ("UnderBar", '_'),
    ("grave", '`'),
    ("lcub", '{'),
    ("vert", '|'),
    ("verbar", '|'),
    ("rcub", '}'),
    ("nbsp", '\u{a0}'),
    ("shy", '\u{ad}'),
    ("ZeroWidthSpace", '\u{200b}'),
    ("zwnj", '\u{200c}'),
    ("zwj", '\u{200d}'),
    ("NoBreak", '\u{2060}'),
];

/// Names that are references also without the semicolon.
const WITHOUT_SEMICOLON: [&str; 10] = ["amp", "AMP", "lt", "LT", "gt", "GT", "quot", "QUOT", "nbsp", "shy"];

/// The longest name, and more than the digits of any code point.
const LONGEST: usize = 16;

/// The text with its references replaced. Linear.
#[must_use]
pub fn resolved(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut resolved = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        resolved.push_str(before);
        let (character, length) = reference(after).unwrap_or(('&', 0));
        resolved.push(character);
        rest = after.get(length..).unwrap_or_default();
    }
    Cow::Owned(resolved + rest)
}

/// The character, and how much of the text after the ampersand stands for it.
fn reference(text: &str) -> Option<(char, usize)> {
    match text.strip_prefix('#') {
        Some(number) => numeric(number).map(|(character, length)| (character, length + 1)),
        None => named(text),
    }
}

fn numeric(text: &str) -> Option<(char, usize)> {
    let (radix, mark) = if text.starts_with(['x', 'X']) { (16, 1) } else { (10, 0) };
    let digits: &str = text.get(mark..)?;
    let end = digits.find(|c: char| !c.is_digit(radix)).unwrap_or(digits.len());
    // Leading zeros may be many, and mean nothing.
    let number = digits.get(..end)?;
    if number.is_empty() {
        return None;
    }
    let significant = number.trim_start_matches('0');
    let code = if LONGEST < significant.len() { 0 } else { u32::from_str_radix(significant, radix).unwrap_or(0) };
    let semicolon = usize::from(digits.get(end..)?.starts_with(';'));
    Some((char::from_u32(code).filter(|c| *c != '\0').unwrap_or(char::REPLACEMENT_CHARACTER), mark + end + semicolon))
}

fn named(text: &str) -> Option<(char, usize)> {
    let end = text.bytes().take(LONGEST).take_while(u8::is_ascii_alphanumeric).count();
    let name = text.get(..end)?;
    let character = |name: &str| NAMED.iter().find(|(known, _)| *known == name).map(|(_, character)| *character);
    if text.get(end..)?.starts_with(';') {
        return character(name).map(|character| (character, end + 1));
    }
    let known = WITHOUT_SEMICOLON.contains(&name) && !text.get(end..)?.starts_with('=');
    known.then(|| character(name)).flatten().map(|character| (character, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_resolved_as_a_browser_does() {
        for (text, expected) in [
            ("a&amp;b&ampc", "a&b&ampc"),
            ("java&#115;cript&colon;x", "javascript:x"),
            ("java&#x73cript", "java\u{73c}ript"),
            ("java&Tab;script", "java\tscript"),
            ("&#0000000000000000000106;a", "ja"),
            ("&#99999999999999999999;", "\u{fffd}"),
            ("&#0;", "\u{fffd}"),
            ("a?b&copy=1&lt=2", "a?b&copy=1&lt=2"),
            ("&unknown; & &#; &#x;", "&unknown; & &#; &#x;"),
            ("&sol;&bsol;&period;", "/\\."),
        ] {
            assert_eq!(resolved(text), expected, "{text}");
        }
    }
}
