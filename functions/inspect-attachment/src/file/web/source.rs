//! A script as it is run: its escapes resolved, the pieces of its strings joined. Words are all that is looked for in it, so the
//! text is rewritten where it stands, whatever a parser of the language would make of it.

/// Letters of a name in brackets.
const MAX_NAME: usize = 40;

/// Calls `read` with the script in each way in which it may be read: as written, resolved, without comments, reversed, and
/// decoded. One after the other, as a script may be as large as a message. Linear.
pub(super) fn each_reading(script: &str, mut read: impl FnMut(&str)) {
    let compact = without_blanks(script);
    read(&compact);
    let resolved = resolved(&compact);
    if resolved != compact {
        read(&resolved);
    }
    drop(compact);
    if resolved.contains("reverse()") {
        read(&resolved.chars().rev().collect::<String>());
    }
    if resolved.contains("unescape(") || resolved.contains("decodeURI") {
        read(&self::resolved(&percent_decoded(&resolved)));
    }
    drop(resolved);
    if script.contains("/*") || script.contains("//") {
        read(&self::resolved(&without_blanks(&without_comments(script))));
    }
}

fn without_blanks(script: &str) -> String {
    script.chars().filter(|c| !c.is_whitespace()).collect()
}

/// `script` has no blanks.
fn resolved(script: &str) -> String {
    dotted(&joined(&spelled(&unescaped(script))))
}

fn without_comments(script: &str) -> String {
    let (mut text, mut rest) = (String::with_capacity(script.len()), script);
    while let Some((before, after)) = rest.split_once('/') {
        text.push_str(before);
        let end = match after.as_bytes().first() {
            Some(b'*') => "*/",
            // The slashes of an address begin no comment.
            Some(b'/') if !before.ends_with(':') => "\n",
            _ => {
                text.push('/');
                rest = after;
                continue;
            }
        };
        rest = after.get(1..).and_then(|comment| comment.split_once(end)).map_or("", |(_, after)| after);
    }
    text + rest
}

/// `\x6c`, `\u006c`, `\u{6c}`, `\154`, and a backslash that does nothing.
fn unescaped(script: &str) -> String {
    let (mut text, mut rest) = (String::with_capacity(script.len()), script);
    while let Some((before, after)) = rest.split_once('\\') {
        text.push_str(before);
        let (character, length) = escape(after).unwrap_or(('\\', 0));
        text.push(character);
        rest = after.get(length..).unwrap_or_default();
    }
    text + rest
}

/// What an escape stands for, and its octets behind the backslash.
fn escape(after: &str) -> Option<(char, usize)> {
    let number = |from: usize, length: usize, radix| {
        let digits =
            after.get(from..from + length).filter(|digits| digits.bytes().all(|d| d.is_ascii_alphanumeric()))?;
        char::from_u32(u32::from_str_radix(digits, radix).ok()?)
    };
    match after.as_bytes() {
        [b'x', ..] => Some((number(1, 2, 16)?, 3)),
        [b'u', b'{', ..] => {
            let length = after.get(2..)?.bytes().take(8).position(|octet| octet == b'}')?;
            Some((number(2, length, 16)?, length + 3))
        }
        [b'u', ..] => Some((number(1, 4, 16)?, 5)),
        [b'0'..=b'7', ..] => {
            let length = after.bytes().take(3).take_while(|digit| matches!(digit, b'0'..=b'7')).count();
            Some((number(0, length, 8)?, length))
        }
        _ => None,
    }
}

/// `String.fromCharCode(108,111)` becomes the text that it is.
fn spelled(script: &str) -> String {
    const CALL: &str = "fromC";
    let (mut text, mut rest) = (String::with_capacity(script.len()), script);
    while let Some((before, after)) = rest.split_once(CALL) {
        match call_of_characters(after) {
            Some((characters, after)) => {
                text.push_str(before.strip_suffix("String.").unwrap_or(before));
                text.extend(['"'].into_iter().chain(characters.chars()).chain(['"']));
                rest = after;
            }
            None => {
                text.push_str(before);
                text.push_str(CALL);
                rest = after;
            }
        }
    }
    text + rest
}

fn call_of_characters(after: &str) -> Option<(String, &str)> {
    let after = ["harCode(", "odePoint("].iter().find_map(|call| after.strip_prefix(call))?;
    let length = after.bytes().take_while(|octet| octet.is_ascii_hexdigit() || b"x,".contains(octet)).count();
    let (numbers, rest) = after.split_at_checked(length)?;
    Some((characters(numbers)?, rest.strip_prefix(')')?))
}

fn characters(numbers: &str) -> Option<String> {
    let character = |number: &str| {
        let code = match number.strip_prefix("0x") {
            Some(digits) => u32::from_str_radix(digits, 16),
            None => number.parse(),
        };
        char::from_u32(code.ok()?)
    };
    numbers.split(',').map(character).collect()
}

fn is_quote(octet: u8) -> bool {
    matches!(octet, b'"' | b'\'' | b'`')
}

/// Pieces of strings that are put together where they stand: by `+`, by `concat`, as a list that is joined, within a template.
fn joined(script: &str) -> String {
    let is_list = script.contains(".join(");
    let (mut text, mut rest) = (String::with_capacity(script.len()), script);
    while let Some(at) = rest.bytes().position(|octet| is_quote(octet) || octet == b'$') {
        let (before, from) = rest.split_at(at);
        text.push_str(before);
        let (kept, after) = between(from, is_list).unwrap_or_else(|| from.split_at(1));
        text.push_str(kept);
        rest = after;
    }
    text + rest
}

/// What stays of the end of one piece and the beginning of the next, and what follows. `from` begins with a quote or `$`.
fn between(from: &str, is_list: bool) -> Option<(&str, &str)> {
    if let Some(inserted) = from.strip_prefix("${") {
        let text = inserted.strip_prefix(['"', '\'', '`'])?;
        let end = text.bytes().take(MAX_NAME).position(is_quote)?;
        return Some((text.get(..end)?, text.get(end + 1..)?.strip_prefix('}')?));
    }
    let after = from.get(1..)?;
    let signs = ["+", ")+(", ").concat(", ".concat(", ")+", "+("];
    let sign =
        signs.iter().find_map(|sign| after.strip_prefix(sign)).or_else(|| after.strip_prefix(',').filter(|_| is_list));
    Some(("", sign?.strip_prefix(['"', '\'', '`'])?))
}

/// `window["location"]` becomes `window.location`.
fn dotted(script: &str) -> String {
    let (mut text, mut rest) = (String::with_capacity(script.len()), script);
    while let Some((before, after)) = rest.split_once('[') {
        text.push_str(before);
        match bracketed(after) {
            Some((name, after)) => {
                text.push('.');
                text.push_str(name);
                rest = after;
            }
            None => {
                text.push('[');
                rest = after;
            }
        }
    }
    text + rest
}

fn bracketed(after: &str) -> Option<(&str, &str)> {
    let name = after.trim_start_matches('(').strip_prefix(['"', '\'', '`'])?;
    let end = name
        .bytes()
        .take(MAX_NAME)
        .position(|octet| !octet.is_ascii_alphanumeric() && octet != b'_' && octet != b'$')?;
    let (name, rest) = name.split_at_checked(end).filter(|(name, _)| !name.is_empty())?;
    let rest = rest.strip_prefix(['"', '\'', '`'])?.trim_start_matches(')');
    Some((name, rest.strip_prefix(']')?))
}

pub(super) fn percent_decoded(text: &str) -> String {
    let (mut decoded, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let Some((&octet, after)) = rest.split_first() {
        let digits = after.get(..2).filter(|_| octet == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        let escaped =
            digits.filter(|digits| !digits.starts_with('+')).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        decoded.push(escaped.unwrap_or(octet));
        rest = after.get(if escaped.is_some() { 2 } else { 0 }..).unwrap_or_default();
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_read_as_it_runs() {
        for (script, expected) in [
            (r#"window["loc" + 'ation']"#, "window.location"),
            (r#"window["\x6c\u006f\u{63}\141tion"]"#, "window.location"),
            (r"\u0065val(a)", "eval(a)"),
            ("window[`loc${''}ation`]", "window.location"),
            ("window[`${'loc'}ation`]", "window.location"),
            (r#"self[["a", "t", "ob"].join("")]"#, r#"self[.atob.join("")]"#),
            ("top['loc'.concat('ation')]", "top.location"),
            ("top[('loc')+('ation')]", "top.location"),
            ("a = String.fromCharCode(0x6c, 111) + String.fromCharCode(99)", "a=\"loc\""),
            ("a[0] = 'b'", "a[0]='b'"),
            ("fromCharCode(a)", "fromCharCode(a)"),
            (r"/\d+/", r"/\d+/"),
        ] {
            let mut readings = Vec::new();
            each_reading(script, |reading| readings.push(reading.to_owned()));
            assert!(readings.iter().any(|reading| reading == expected), "{script}: {readings:?}");
        }
    }

    #[test]
    fn reversed_encoded_and_interrupted_texts_are_read_as_well() {
        for (script, expected) in [
            ("f('drowssap'.split('').reverse().join(''))", "password"),
            ("f(unescape('%70assw%6Frd'))", "password"),
            ("loc/* a */ation // b\n= 1", "location=1"),
            ("'http://a' /**/ + b", "'http://a'+b"),
        ] {
            let mut is_found = false;
            each_reading(script, |reading| is_found |= reading.contains(expected));
            assert!(is_found, "{script}");
        }
    }

    #[test]
    fn a_script_that_is_cut_off_anywhere_is_read() {
        let script =
            r#"["\x6c"+`${'ä'}`].concat("\u{6c}\u00") /* // */ String.fromCharCode(0x6c,1) unescape("%4") ["a"]"#;
        for (at, _) in script.char_indices() {
            let mut readings = 0;
            each_reading(&script[..at], |_| readings += 1);
            assert!((1..=5).contains(&readings), "{at}");
        }
    }
}
