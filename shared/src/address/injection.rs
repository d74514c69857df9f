//! Text that tries to be more than an address: line breaks that would end a header field or an SMTP command, and code for
//! whoever puts an address into a query, a template, a shell or a page.
//!
//! An address may have apostrophes, braces and backticks: what is looked for is what surrounds them.

use std::borrow::Cow;

use icu_normalizer::ComposingNormalizerBorrowed;

use crate::encoded_word;

/// What database servers are given for white space; white space itself and comments are others.
const SEPARATORS: [&str; 3] = ["%20", "%09", "+"];

/// Words that follow an apostrophe in SQL.
const AFTER_APOSTROPHE: [&str; 13] = [
    "or", "xor", "and", "union", "having", "group by", "order by", "like", "is null", "in", "exists", "limit",
    "waitfor",
];

/// What else follows it: operators, comments, the end of a statement.
const SYMBOLS: [&str; 9] = ["--", "#", ";", "||", "|", "=", ")", "/*", "&&"];

/// What a condition cannot do without, and a name has no use for.
const OPERATORS: [&str; 10] = ["=", "<", ">", "(", "|", "~", "\"", "--", "/*", "#"];

/// The words of SQL statements and calls; between two words stands a separator, and behind the last one.
const STATEMENTS: [&[&str]; 11] = [
    &["union", "select"],
    &["union", "all", "select"],
    &["drop", "table"],
    &["drop", "database"],
    &["insert", "into"],
    &["delete", "from"],
    &["waitfor", "delay"],
    &["benchmark("],
    &["sleep("],
    &["xp_cmdshell"],
    &["information_schema"],
];

/// What template languages, loggers and document databases evaluate.
const TEMPLATES: [&str; 10] = ["{{", "${", "#{", "%{", "{%", "<%", "@{", "[[", "\"$", "{$"];

/// What shells run, and where they would find it.
const SHELL: [&str; 8] = ["$(", "$ifs", "||", "|/", ">/", "../", "|sh", ";/"];

/// What a page would run, beside tags.
const MARKUP: [&str; 2] = ["javascript:", "data:text/html"];

/// How often percent-encoding is undone: each careless decoder on the way undoes one.
const MOST_DECODINGS: usize = 3;

/// CR and LF in the escapes of programming languages, and in overlong UTF-8.
const ESCAPES: [&str; 10] =
    ["\\r", "\\n", "\\x0a", "\\x0d", "\\u000a", "\\u000d", "%e5%98%8a", "%e5%98%8d", "%c0%8a", "%c0%8d"];

/// CR and LF in HTML.
const ENTITIES: [&str; 7] = ["&#10", "&#13", "&#x0a", "&#x0d", "&#xa", "&#xd", "&newline"];

/// Octets that a kind of code or escape cannot do without, as bits: one pass over the text tells what to look for.
mod sign {
    pub(super) const QUOTE: u16 = 1;
    pub(super) const BRACKET: u16 = 1 << 1;
    pub(super) const SHELL: u16 = 1 << 2;
    pub(super) const SLASH: u16 = 1 << 3;
    pub(super) const COLON: u16 = 1 << 4;
    pub(super) const ESCAPE: u16 = 1 << 5;
    pub(super) const ENTITY: u16 = 1 << 6;
    pub(super) const QUESTION: u16 = 1 << 7;
    pub(super) const SEPARATOR: u16 = 1 << 8;
}

#[expect(clippy::indexing_slicing, reason = "filled at compile time, where a wrong place is an error of the build")]
const SIGNS: [u16; 256] = {
    let mut table = [0; 256];
    let groups: [(&[u8], u16); 9] = [
        (b"'\"", sign::QUOTE),
        (b"{<[", sign::BRACKET),
        (b"$&|;`>", sign::SHELL),
        (b"/", sign::SLASH),
        (b":=", sign::COLON),
        (b"%\\", sign::ESCAPE),
        (b"&", sign::ENTITY),
        (b"?", sign::QUESTION),
        (b"+ _(%/", sign::SEPARATOR),
    ];
    let mut rest = groups.as_slice();
    while let [(octets, bit), others @ ..] = rest {
        let mut octets = *octets;
        while let [octet, tail @ ..] = octets {
            table[*octet as usize] |= *bit;
            octets = tail;
        }
        rest = others;
    }
    table
};

/// What a text has of the octets that code and escapes need.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signs(u16);

impl Signs {
    pub(super) fn of(text: &str) -> Self {
        Self(text.bytes().fold(0, |found, octet| found | SIGNS.get(usize::from(octet)).copied().unwrap_or_default()))
    }

    /// Nearly every address ends here.
    pub(super) const fn are_none(self) -> bool {
        self.0 == 0
    }

    /// Of the text and of what is found below its disguise.
    pub(super) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    const fn have(self, any: u16) -> bool {
        self.0 & any != 0
    }
}

/// The first control character or Unicode line break, which no mailbox contains (RFC 5321 §4.1.2).
pub(super) fn first_control(text: &str) -> Option<char> {
    if text.is_ascii() {
        return text.bytes().find(u8::is_ascii_control).map(char::from);
    }
    text.chars().find(|&c| is_control(c))
}

/// Whether a character is a control character, C1 included, or a line or paragraph separator.
pub(super) fn is_control(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// What careless software makes of a text: compatibility forms made plain (NFKC), percent-encoding undone.
pub(super) fn unveiled(text: &str, signs: Signs) -> Cow<'_, str> {
    let plain =
        if text.is_ascii() { Cow::Borrowed(text) } else { ComposingNormalizerBorrowed::new_nfkc().normalize(text) };
    if signs.have(sign::ESCAPE) || !text.is_ascii() { Cow::Owned(percent_decoded(&plain)) } else { plain }
}

/// Undoes percent-encoding (RFC 3986 §2.1) and escapes such as `%u000a` until nothing is left of them, three times at most.
fn percent_decoded(text: &str) -> String {
    let mut decoded = text.to_owned();
    for _ in 0..MOST_DECODINGS {
        if !decoded.contains('%') {
            break;
        }
        decoded = decoded_once(&decoded);
    }
    decoded
}

fn decoded_once(text: &str) -> String {
    let (mut octets, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let [first, tail @ ..] = rest {
        let escape = (*first == b'%').then(|| escaped(tail)).flatten();
        match escape {
            Some((c, length)) if c.is_ascii() => {
                octets.push(c);
                rest = tail.get(length..).unwrap_or_default();
            }
            Some(_) | None => {
                octets.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&octets).into_owned()
}

/// The octet that follows a `%`, and how long its escape is.
fn escaped(text: &[u8]) -> Option<(u8, usize)> {
    let (digits, length) = match text {
        [b'u' | b'U', b'0', b'0', high, low, ..] => ([*high, *low], 5),
        [high, low, ..] => ([*high, *low], 2),
        _ => return None,
    };
    let octet = std::str::from_utf8(&digits).ok().and_then(|digits| u8::from_str_radix(digits, 16).ok())?;
    Some((octet, length))
}

/// Whether a decoder would find a line break or NUL: of percent-encoding, of encoded words (RFC 2047), of the escapes of
/// programming languages and of HTML.
pub(super) fn has_encoded_line_break(text: &str, unveiled: &str, signs: Signs) -> bool {
    if !signs.have(sign::ESCAPE | sign::ENTITY | sign::QUESTION) && text.is_ascii() {
        return false;
    }
    let lower = text.to_ascii_lowercase();
    let is_break = |c: char| matches!(c, '\r' | '\n' | '\0');
    (unveiled.contains(is_break) && !text.contains(is_break))
        || (signs.have(sign::ESCAPE) && has(&lower, &ESCAPES))
        || (signs.have(sign::ENTITY) && has(&lower, &ENTITIES))
        || (signs.have(sign::QUESTION) && decoded_words(text).contains(['\r', '\n']))
}

/// What kind of code a text in lower case has a fragment of.
pub(super) fn pattern(lower: &str, signs: Signs) -> Option<&'static str> {
    if signs.have(sign::QUESTION)
        && decoded_words(lower).contains(['@', '<', '>', ' ', '\t', '\0'])
        && lower.contains("=?")
    {
        return Some("an encoded word that hides a part of an address");
    }
    let is_sql = (signs.have(sign::QUOTE) && lower.split('\'').skip(1).any(ends_a_literal))
        || (signs.have(sign::SEPARATOR) && has_statement(lower));
    if is_sql {
        return Some("a fragment of SQL");
    }
    if signs.have(sign::BRACKET | sign::SHELL) && has(lower, &TEMPLATES) {
        return Some("a template expression");
    }
    if signs.have(sign::BRACKET | sign::COLON) && is_markup(lower) {
        return Some("markup that runs");
    }
    is_shell(lower, signs).then_some("a shell command, a formula or a path")
}

/// A tag, an attribute with a script, or the end of a path and a parameter of SMTP behind it.
fn is_markup(text: &str) -> bool {
    let is_tag = |rest: &str| rest.starts_with(|c: char| c.is_ascii_lowercase() || matches!(c, '/' | '!' | '?'));
    let is_handler = |rest: &str| {
        let name = rest.trim_start_matches(|c: char| c.is_ascii_lowercase());
        1 < rest.len() - name.len() && name.starts_with('=')
    };
    text.split('<').skip(1).any(is_tag)
        || text.split(" on").skip(1).any(is_handler)
        || text.contains("> ")
        || has(text, &MARKUP)
}

fn is_shell(text: &str, signs: Signs) -> bool {
    let is_option = text.starts_with('-') && text.contains('/') || text.contains(" -") && text.contains('/');
    let is_formula = text.starts_with('=') && text.contains(['|', '!', '(']);
    is_option
        || is_formula
        || (signs.have(sign::SHELL | sign::SLASH) && (has(text, &SHELL) || is_substitution(text) || is_command(text)))
}

fn has(text: &str, fragments: &[&str]) -> bool {
    fragments.iter().any(|fragment| text.contains(fragment))
}

/// The text with its encoded words decoded; nothing when it has none.
fn decoded_words(text: &str) -> String {
    // What surrounds the words is not in disguise.
    let words = text.split_once("=?").and_then(|(_, words)| words.rsplit_once("?="));
    words.map_or_else(String::new, |(words, _)| encoded_word::decoded(&["=?", words, "?="].concat()))
}

/// Whether a statement begins anywhere, its words apart by whatever counts as white space.
fn has_statement(text: &str) -> bool {
    let is_begun = |rest: &str| STATEMENTS.iter().any(|statement| begins_with(rest, statement));
    text.char_indices().filter_map(|(at, _)| text.get(at..)).any(is_begun)
}

fn begins_with(text: &str, statement: &[&str]) -> bool {
    let [first, others @ ..] = statement else { return true };
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    for word in others {
        let spaced = without_separators(rest);
        match spaced.strip_prefix(word) {
            Some(tail) if spaced.len() < rest.len() => rest = tail,
            Some(_) | None => return false,
        }
    }
    let is_whole_word = rest.starts_with(['(', '*', '\'', '"']) || without_separators(rest).len() < rest.len();
    others.is_empty() || is_whole_word
}

fn without_separators(text: &str) -> &str {
    let mut rest = text;
    loop {
        let comment = rest.strip_prefix("/*").and_then(|comment| comment.split_once("*/")).map(|(_, tail)| tail);
        let space = || rest.strip_prefix(|c: char| c.is_whitespace() || c.is_control());
        match comment.or_else(space).or_else(|| SEPARATORS.iter().find_map(|separator| rest.strip_prefix(separator))) {
            Some(tail) => rest = tail,
            None => return rest,
        }
    }
}

/// Whether what follows an apostrophe goes on with a query: with a symbol, or with a word and a condition. `d'or` goes on
/// with neither.
fn ends_a_literal(rest: &str) -> bool {
    let rest = without_separators(rest);
    let is_condition = |after: &str| {
        let is_word = !after.starts_with(|c: char| c.is_ascii_lowercase());
        is_word && (after.starts_with('\'') || has(after.split('@').next().unwrap_or(after), &OPERATORS))
    };
    let is_sum = rest.strip_prefix('-').is_some_and(|after| after.starts_with(|c: char| c.is_ascii_digit()));
    is_sum
        || SYMBOLS.iter().any(|symbol| rest.starts_with(symbol))
        || AFTER_APOSTROPHE.iter().filter_map(|word| rest.strip_prefix(word)).any(is_condition)
        // `'or'1'='1`: another literal follows at once.
        || matches!(rest, "or" | "xor" | "and")
}

/// A word between backticks.
fn is_substitution(text: &str) -> bool {
    let last = text.matches('`').count().saturating_sub(1);
    text.split('`').skip(1).take(last).any(|word| word.starts_with(|c: char| c.is_ascii_lowercase() || c == '/'))
}

/// A semicolon and a word, as a second command.
fn is_command(text: &str) -> bool {
    text.split(';').skip(1).any(|rest| rest.trim_start().starts_with(|c: char| c.is_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_breaks_are_found_plain_and_encoded() {
        for (text, control, encoded) in [
            ("ann@example.com", None, false),
            ("ann@example.com\r\nBcc: x@example.com", Some('\r'), false),
            ("a\tb@example.com", Some('\t'), false),
            ("a\0b@example.com", Some('\0'), false),
            ("a\u{85}b@example.com", Some('\u{85}'), false),
            ("a\u{2028}b@example.com", Some('\u{2028}'), false),
            ("ann%0Abcc@example.com", None, true),
            ("ann%0dbcc@example.com", None, true),
            ("ann%250abcc@example.com", None, true),
            ("ann\\r\\nbcc@example.com", None, true),
            ("ann&#x0A;bcc@example.com", None, true),
            ("=?utf-8?q?ann=0Abcc?=@example.com", None, true),
            ("=?utf-8?b?YW5uDQpiY2M=?=@example.com", None, true),
            ("=?utf-8?q?ann?=@example.com", None, false),
            ("a&b@example.com", None, false),
            ("100%0@example.com", None, false),
            ("ann%00bcc@example.com", None, true),
            ("ann%25250abcc@example.com", None, true),
            ("ann%u000abcc@example.com", None, true),
            ("ann%c0%8abcc@example.com", None, true),
            ("ann\u{ff05}0abcc@example.com", None, true),
        ] {
            let signs = Signs::of(text);
            let found = has_encoded_line_break(text, &unveiled(text, signs), signs);
            assert_eq!((first_control(text), found), (control, encoded), "{text:?}");
        }
    }

    fn found(text: &str) -> Option<&'static str> {
        let signs = Signs::of(text);
        let unveiled = unveiled(text, signs).to_ascii_lowercase();
        pattern(&unveiled, signs.and(Signs::of(&unveiled)))
    }

    #[test]
    fn code_is_told_by_its_kind() {
        for (text, expected) in [
            ("'or'1'='1@example.com", "a fragment of SQL"),
            ("admin'--@example.com", "a fragment of SQL"),
            ("a'/**/or/**/1=1@example.com", "a fragment of SQL"),
            ("a'+union+select+1@example.com", "a fragment of SQL"),
            ("\"' or 1=1 --\"@example.com", "a fragment of SQL"),
            ("x';drop table users@example.com", "a fragment of SQL"),
            ("{{7*7}}@example.com", "a template expression"),
            ("${jndi:ldap://x}@example.com", "a template expression"),
            ("#{7*7}@example.com", "a template expression"),
            ("\"<script>alert(1)</script>\"@example.com", "markup that runs"),
            ("`id`@example.com", "a shell command, a formula or a path"),
            ("$(id)@example.com", "a shell command, a formula or a path"),
            ("a;id@example.com", "a shell command, a formula or a path"),
            ("a||id@example.com", "a shell command, a formula or a path"),
            ("../../etc/passwd@example.com", "a shell command, a formula or a path"),
            ("'xor(1)@example.com", "a fragment of SQL"),
            ("'or-1=-1@example.com", "a fragment of SQL"),
            ("'or~1@example.com", "a fragment of SQL"),
            ("'|1=1@example.com", "a fragment of SQL"),
            ("'-0-'@example.com", "a fragment of SQL"),
            ("ann'%0bor%0b1=1@example.com", "a fragment of SQL"),
            ("%27or%271%27=%271@example.com", "a fragment of SQL"),
            ("\u{ff07}or\u{ff07}1\u{ff07}=\u{ff07}1@example.com", "a fragment of SQL"),
            ("\"' UNION/*x*/SELECT 1\"@example.com", "a fragment of SQL"),
            ("%7b%7b7*7%7d%7d@example.com", "a template expression"),
            ("%24%7bjndi%7d@example.com", "a template expression"),
            ("\u{ff5b}\u{ff5b}7*7\u{ff5d}\u{ff5d}@example.com", "a template expression"),
            ("\"{\\\"$gt\\\":1}\"@example.com", "a template expression"),
            ("%3Cscript%3E@example.com", "markup that runs"),
            ("\u{ff1c}script\u{ff1e}@example.com", "markup that runs"),
            ("\"<body onload=x>\"@example.com", "markup that runs"),
            ("\"<?php x\"@example.com", "markup that runs"),
            ("\"ann@evil.example> ORCPT=x\"@example.com", "markup that runs"),
            ("-oQ/spool/@example.com", "a shell command, a formula or a path"),
            ("\"a -oQ/spool/ -X/web/x.php\"@example.com", "a shell command, a formula or a path"),
            ("=cmd|'/C+calc'!A0@example.com", "a shell command, a formula or a path"),
            ("$IFS$9id@example.com", "a shell command, a formula or a path"),
            ("`/bin/id`@example.com", "a shell command, a formula or a path"),
            ("=?utf-8?q?x=40evil.example=3e=00?=@example.com", "an encoded word that hides a part of an address"),
        ] {
            assert_eq!(found(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn characters_that_names_have_are_no_code() {
        for text in [
            "o'brien@example.com",
            "o'reilly@example.com",
            "d'andrea@example.com",
            "o'ormond@example.com",
            "mc'union@example.com",
            "ann'@example.com",
            "d'@example.com",
            "o'hara-o'neil@example.com",
            "ann+news@example.com",
            "ann+or+bob@example.com",
            "a&b@example.com",
            "rock'n'roll@example.com",
            "!#$%&'*+-/=?^_`{|}~@example.com",
            "!#$%&`*+/=?^`{|}~@example.com",
            "customer/department=shipping@example.com",
            "$A12345@example.com",
            "_somename@example.com",
            "selection+union@example.com",
            "cote-d'or+news@example.fr",
            "val-d'or+qc@example.ca",
            "jean.d'or75@example.fr",
            "l'or+bleu@example.fr",
            "d'in+shop@example.com",
            "n'and1@example.com",
            "d'like+facebook@example.com",
            "union+selectquote@example.com",
            "please.delete+from-list@example.com",
            "x&&y@example.com",
            "änne+news@example.com",
            "100%25@example.com",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }
}
