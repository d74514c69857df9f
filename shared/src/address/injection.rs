//! Text that tries to be more than an address: line breaks that would end a header field or an SMTP command, and code for
//! whoever puts an address into a query, a template, a shell or a page.
//!
//! An address may have apostrophes, braces and backticks: what is looked for is what surrounds them.

use crate::encoded_word;

/// Separators that database servers read as white space, plain, commented or encoded.
const SEPARATORS: [&str; 5] = ["/**/", "%20", "%09", "+", " "];

/// Words that follow an apostrophe in SQL, and nothing that a name goes on with.
const AFTER_APOSTROPHE: [&str; 12] =
    ["or", "and", "union", "having", "group by", "order by", "like", "is null", "in", "exists", "limit", "waitfor"];

/// What else follows it: operators, comments, the end of a statement.
const SYMBOLS: [&str; 8] = ["--", "#", ";", "||", "=", ")", "/*", "&&"];

/// The words of SQL statements and calls; between two words stands a separator.
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

/// What template languages and loggers evaluate.
const TEMPLATES: [&str; 8] = ["{{", "${", "#{", "%{", "{%", "<%", "@{", "[["];

/// What shells run, and where they would find it.
const SHELL: [&str; 9] = ["$(", "&&", "||", "|/", ">/", "</", "../", "|sh", ";/"];

/// What a page would run.
const MARKUP: [&str; 6] = ["<script", "<img", "<svg", "<iframe", "javascript:", "onerror="];

/// CR and LF in percent-encoding, once and twice, in the escapes of programming languages, and in overlong UTF-8.
const ESCAPES: [&str; 12] =
    ["%0a", "%0d", "%250a", "%250d", "\\r", "\\n", "\\x0a", "\\x0d", "\\u000a", "\\u000d", "%e5%98%8a", "%e5%98%8d"];

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

/// Whether a decoder would find CR or LF: of percent-encoding (RFC 3986 §2.1), once or twice; of encoded words (RFC 2047);
/// of the escapes of programming languages and of HTML. Expects lower case, but for the encoded words.
pub(super) fn has_encoded_line_break(text: &str, lower: &str, signs: Signs) -> bool {
    (signs.have(sign::ESCAPE) && has(lower, &ESCAPES))
        || (signs.have(sign::ENTITY) && has(lower, &ENTITIES))
        || (signs.have(sign::QUESTION) && in_encoded_word(text))
}

/// What kind of code the text has a fragment of. Expects lower case.
pub(super) fn pattern(lower: &str, signs: Signs) -> Option<&'static str> {
    let is_sql = (signs.have(sign::QUOTE) && lower.split('\'').skip(1).any(ends_a_literal))
        || (signs.have(sign::SEPARATOR) && has_statement(lower));
    if is_sql {
        return Some("a fragment of SQL");
    }
    if signs.have(sign::BRACKET) && has(lower, &TEMPLATES) {
        return Some("a template expression");
    }
    if signs.have(sign::BRACKET | sign::COLON) && has(lower, &MARKUP) {
        return Some("markup that runs");
    }
    let is_shell =
        signs.have(sign::SHELL | sign::SLASH) && (has(lower, &SHELL) || is_substitution(lower) || is_command(lower));
    is_shell.then_some("a shell command or a path")
}

fn has(text: &str, fragments: &[&str]) -> bool {
    fragments.iter().any(|fragment| text.contains(fragment))
}

fn in_encoded_word(text: &str) -> bool {
    text.contains("=?") && encoded_word::decoded(text).contains(['\r', '\n'])
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
    true
}

fn without_separators(text: &str) -> &str {
    let mut rest = text;
    while let Some(tail) = SEPARATORS.iter().find_map(|separator| rest.strip_prefix(separator)) {
        rest = tail;
    }
    rest
}

/// Whether what follows an apostrophe goes on with a query.
fn ends_a_literal(rest: &str) -> bool {
    let rest = without_separators(rest);
    let goes_on = |after: &str| {
        after.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '(' | '!'))
            || without_separators(after).len() < after.len()
    };
    SYMBOLS.iter().any(|symbol| rest.starts_with(symbol))
        || AFTER_APOSTROPHE.iter().filter_map(|word| rest.strip_prefix(word)).any(goes_on)
        // `'or'1'='1`: another literal follows at once.
        || matches!(rest, "or" | "and")
}

/// A word between backticks.
fn is_substitution(text: &str) -> bool {
    let last = text.matches('`').count().saturating_sub(1);
    text.split('`').skip(1).take(last).any(|word| word.starts_with(|c: char| c.is_ascii_lowercase()))
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
        ] {
            let found = has_encoded_line_break(text, &text.to_ascii_lowercase(), Signs::of(text));
            assert_eq!((first_control(text), found), (control, encoded), "{text:?}");
        }
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
            ("`id`@example.com", "a shell command or a path"),
            ("$(id)@example.com", "a shell command or a path"),
            ("a;id@example.com", "a shell command or a path"),
            ("a||id@example.com", "a shell command or a path"),
            ("../../etc/passwd@example.com", "a shell command or a path"),
        ] {
            assert_eq!(pattern(&text.to_ascii_lowercase(), Signs::of(text)), Some(expected), "{text}");
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
        ] {
            assert_eq!(pattern(&text.to_ascii_lowercase(), Signs::of(text)), None, "{text}");
        }
    }
}
