//! Master files: the text form of resource records (RFC 1035 §5).
//!
//! The parser of hickory-proto joins no quoted text within parentheses and misreads `\DDD`, both of which long DKIM
//! keys and test data use; it is used here for the data of types other than TXT.

#![expect(clippy::indexing_slicing, reason = "offsets come from a scan of the same text")]

use hickory_resolver::proto::ProtoError;
use hickory_resolver::proto::rr::rdata::{CNAME, MX, NS, NULL, PTR, TXT};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use hickory_resolver::proto::serialize::txt::{ParseError, parse_ttl};
use std::str::FromStr;

/// The TTL, in seconds, of a record before any was stated.
const DEFAULT_TTL: u32 = 300;
const MAX_STRING_OCTETS: usize = 255;

/// Why text is not a master file. Lines count from 1.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {fault}")]
pub struct MasterFileError {
    pub line: usize,
    #[source]
    pub fault: EntryError,
}

/// What is wrong with an entry.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    #[error("a quote or parenthesis is not closed")]
    Unclosed,
    #[error("a parenthesis was not opened")]
    Unopened,
    #[error("a record has an owner, a type and data")]
    Incomplete,
    #[error("an escape is a backslash and three digits up to 255, or one other character")]
    Escape,
    #[error("a text has at most 255 octets: split it into several")]
    TooLong,
    #[error("DS data are a key tag, an algorithm, a digest type and hexadecimal digits")]
    Ds,
    #[error("only $ORIGIN and $TTL are known")]
    Directive,
    #[error("a name: {0}")]
    Name(#[from] ProtoError),
    #[error("record data: {0}")]
    Data(#[from] ParseError),
}

/// The records of a file, in its order. Class IN only.
///
/// # Errors
/// Names the first entry that cannot be read.
pub(super) fn records(text: &str) -> Result<Vec<Record>, MasterFileError> {
    let mut context = Context { origin: Name::root(), owner: None, ttl: DEFAULT_TTL };
    let mut records = Vec::new();
    for entry in entries(text)? {
        records.extend(context.read(&entry).map_err(|fault| MasterFileError { line: entry.line, fault })?);
    }
    Ok(records)
}

/// A logical line: what parentheses hold together, without comments. Words are as written, with quotes and escapes.
#[derive(Debug, PartialEq, Eq)]
struct Entry<'a> {
    line: usize,
    /// It begins with a blank, so the last owner owns this record, too.
    continues_owner: bool,
    words: Vec<&'a str>,
}

/// What an entry takes from those before it.
struct Context {
    origin: Name,
    owner: Option<Name>,
    ttl: u32,
}

impl Context {
    fn read(&mut self, entry: &Entry<'_>) -> Result<Option<Record>, EntryError> {
        match entry.words.as_slice() {
            [] => Ok(None),
            ["$ORIGIN", origin] => {
                self.origin = self.name(origin)?;
                Ok(None)
            }
            ["$TTL", ttl] => {
                self.ttl = parse_ttl(ttl)?;
                Ok(None)
            }
            [directive, ..] if directive.starts_with('$') => Err(EntryError::Directive),
            words if entry.continues_owner => self.record(words).map(Some),
            [owner, words @ ..] => {
                self.owner = Some(self.name(owner)?);
                self.record(words).map(Some)
            }
        }
    }

    /// Reads `[TTL] [IN] TYPE DATA..`, the first two in any order.
    fn record(&mut self, mut words: &[&str]) -> Result<Record, EntryError> {
        let mut ttl = self.ttl;
        while let [first, rest @ ..] = words {
            if let Ok(stated) = parse_ttl(first) {
                ttl = stated;
            } else if !first.eq_ignore_ascii_case("IN") {
                break;
            }
            words = rest;
        }
        let (Some(owner), [record_type, data @ ..]) = (&self.owner, words) else {
            return Err(EntryError::Incomplete);
        };
        let record_type = RecordType::from_str(&record_type.to_ascii_uppercase()).map_err(ProtoError::from)?;
        Ok(Record::from_rdata(owner.clone(), ttl, self.data(record_type, data)?))
    }

    fn data(&self, record_type: RecordType, words: &[&str]) -> Result<RData, EntryError> {
        match (record_type, words) {
            (RecordType::TXT, _) => text_data(words),
            (RecordType::DS, _) => ds_data(words).ok_or(EntryError::Ds),
            (RecordType::MX, [preference, exchange]) => {
                let preference = preference.parse().map_err(|_| EntryError::Incomplete)?;
                Ok(RData::MX(MX::new(preference, self.name(exchange)?)))
            }
            (RecordType::CNAME, [name]) => Ok(RData::CNAME(CNAME(self.name(name)?))),
            (RecordType::NS, [name]) => Ok(RData::NS(NS(self.name(name)?))),
            (RecordType::PTR, [name]) => Ok(RData::PTR(PTR(self.name(name)?))),
            (RecordType::SOA, _) => self.with_names(record_type, words, &[0, 1]),
            (RecordType::SRV, _) => self.with_names(record_type, words, &[words.len().saturating_sub(1)]),
            _ => self.with_names(record_type, words, &[]),
        }
    }

    /// Completes the names among the words, since the parser of the data knows no origin.
    fn with_names(&self, record_type: RecordType, words: &[&str], names: &[usize]) -> Result<RData, EntryError> {
        let mut completed: Vec<String> = words.iter().map(ToString::to_string).collect();
        for name in names {
            let word = completed.get_mut(*name).ok_or(EntryError::Incomplete)?;
            *word = self.name(word)?.to_ascii();
        }
        Ok(RData::try_from_str(record_type, &completed.join(" "))?)
    }

    fn name(&self, word: &str) -> Result<Name, EntryError> {
        let mut name = match word {
            "@" => self.origin.clone(),
            _ if is_host_name(word) => Name::parse(word, Some(&self.origin))?,
            _ => raw_name(word, &self.origin)?,
        };
        name.set_fqdn(true);
        Ok(name)
    }
}

fn entries(text: &str) -> Result<Vec<Entry<'_>>, MasterFileError> {
    let octets = text.as_bytes();
    let (mut at, mut line, mut depth) = (0, 1, 0_usize);
    let mut entries = Vec::new();
    let mut entry = Entry::starting(line, octets.first());
    while let Some(octet) = octets.get(at) {
        let fault = |fault| MasterFileError { line, fault };
        match octet {
            b'\n' if depth == 0 => {
                line += 1;
                entries.push(std::mem::replace(&mut entry, Entry::starting(line, octets.get(at + 1))));
            }
            b'\n' => line += 1,
            b' ' | b'\t' | b'\r' => {}
            b'(' => depth += 1,
            b')' => depth = depth.checked_sub(1).ok_or(fault(EntryError::Unopened))?,
            b';' => at += octets[at..].iter().take_while(|octet| **octet != b'\n').count() - 1,
            _ => {
                let length = word_length(&octets[at..]).ok_or(fault(EntryError::Unclosed))?;
                entry.words.push(&text[at..at + length]);
                at += length - 1;
            }
        }
        at += 1;
    }
    entries.push(entry);
    if depth == 0 { Ok(entries) } else { Err(MasterFileError { line, fault: EntryError::Unclosed }) }
}

impl Entry<'_> {
    fn starting(line: usize, first: Option<&u8>) -> Self {
        Self { line, continues_owner: matches!(first, Some(b' ' | b'\t')), words: Vec::new() }
    }
}

/// The octets of the word that the slice begins with: at least one. Words end at ASCII octets, so at characters.
fn word_length(octets: &[u8]) -> Option<usize> {
    let quoted = octets.first() == Some(&b'"');
    let mut at = usize::from(quoted);
    loop {
        match (octets.get(at), quoted) {
            (Some(b'\\'), _) => at += 2,
            (Some(b'"'), true) => return Some(at + 1),
            (None | Some(b'\n'), true) => return None,
            (None, false) => return Some(octets.len()),
            (Some(b' ' | b'\t' | b'\r' | b'\n' | b';' | b'(' | b')'), false) => return Some(at),
            (Some(_), _) => at += 1,
        }
    }
}

fn is_host_name(word: &str) -> bool {
    word.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '*'))
}

/// A name with escapes, or with characters that no host has: its labels as they are (RFC 1035 §5.1).
fn raw_name(word: &str, origin: &Name) -> Result<Name, EntryError> {
    let (mut labels, mut label) = (Vec::new(), Vec::new());
    let mut rest = word.as_bytes();
    while let [first, after @ ..] = rest {
        let (octet, after) = if *first == b'\\' { escaped(after).ok_or(EntryError::Escape)? } else { (*first, after) };
        match first {
            b'.' => labels.push(std::mem::take(&mut label)),
            _ => label.push(octet),
        }
        rest = after;
    }
    if label.is_empty() {
        return Ok(Name::from_labels(labels)?);
    }
    labels.push(label);
    Ok(Name::from_labels(labels)?.append_domain(origin)?)
}

fn text_data(words: &[&str]) -> Result<RData, EntryError> {
    let strings = words.iter().map(|word| character_string(word)).collect::<Result<Vec<_>, _>>()?;
    if strings.is_empty() {
        return Err(EntryError::Incomplete);
    }
    Ok(RData::TXT(TXT::from_bytes(strings.iter().map(Vec::as_slice).collect())))
}

/// The octets that a word stands for: without its quotes, with its escapes resolved.
fn character_string(word: &str) -> Result<Vec<u8>, EntryError> {
    let text = word.strip_prefix('"').and_then(|word| word.strip_suffix('"')).unwrap_or(word);
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let (octet, after) = if *first == b'\\' { escaped(after).ok_or(EntryError::Escape)? } else { (*first, after) };
        octets.push(octet);
        rest = after;
    }
    if octets.len() <= MAX_STRING_OCTETS { Ok(octets) } else { Err(EntryError::TooLong) }
}

/// The octet that follows a backslash stands for itself, or three digits for the octet of that value.
fn escaped(text: &[u8]) -> Option<(u8, &[u8])> {
    let (first, after) = text.split_first()?;
    if !first.is_ascii_digit() {
        return Some((*first, after));
    }
    let (digits, after) = text.split_at_checked(3)?;
    Some((std::str::from_utf8(digits).ok()?.parse().ok()?, after))
}

/// DS data (RFC 4034 §5.3), which hickory-proto reads only with its DNSSEC features.
fn ds_data(words: &[&str]) -> Option<RData> {
    let [key_tag, algorithm, digest_type, digest @ ..] = words else { return None };
    let mut octets = key_tag.parse::<u16>().ok()?.to_be_bytes().to_vec();
    octets.push(algorithm.parse().ok()?);
    octets.push(digest_type.parse().ok()?);
    for pair in digest.concat().as_bytes().chunks(2) {
        let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?;
        octets.push(u8::from_str_radix(pair, 16).ok()?);
    }
    Some(RData::Unknown { code: RecordType::DS, rdata: NULL::with(octets) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_may_hold_what_no_host_name_does() {
        for (word, expected) in [
            (r"foo:bar/baz.example.", vec!["foo:bar/baz", "example"]),
            (r"a\032b\.c.example.", vec!["a b.c", "example"]),
            (r"\300.example.", vec![]),
        ] {
            let labels = raw_name(word, &Name::root())
                .map(|name| name.iter().map(|label| String::from_utf8_lossy(label).into_owned()).collect::<Vec<_>>());
            assert_eq!(labels.unwrap_or_default(), expected, "{word}");
        }
    }

    #[test]
    fn every_form_of_an_entry_is_read() {
        let text = r#"
; a comment, then directives
$TTL 1h
$ORIGIN example.com.
@           IN      MX   10 mx          ; relative to the origin
            300     TXT  "v=spf1 -all"  ; the same owner
mx 60 IN    A       192.0.2.1
mx IN 60    AAAA    2001:db8::1
sel._domainkey      TXT ( "v=DKIM1; k=rsa; " ; in parentheses
                          "p=MII(B)" )
null.example.net.   MX   0 .
octets              TXT  "\195\164\"\\;" plain\032text ""
@                   SOA  ns hostmaster 1 7200 900 1209600 300
signed              DS   60485 5 1 2BB183AF 5F22588179A5
1.2.0.192.in-addr.arpa. PTR mx
*.wild  CNAME other.example.net.
"#;
        let read = records(text).expect("the text is a master file");
        let lines: Vec<_> = read.iter().map(|r| format!("{} {} {}", r.name, r.ttl, r.record_type())).collect();
        assert_eq!(
            lines,
            [
                "example.com. 3600 MX",
                "example.com. 300 TXT",
                "mx.example.com. 60 A",
                "mx.example.com. 60 AAAA",
                "sel._domainkey.example.com. 3600 TXT",
                "null.example.net. 3600 MX",
                "octets.example.com. 3600 TXT",
                "example.com. 3600 SOA",
                "signed.example.com. 3600 DS",
                "1.2.0.192.in-addr.arpa. 3600 PTR",
                "*.wild.example.com. 3600 CNAME",
            ]
        );
        assert_eq!(read[0].data.to_string(), "10 mx.example.com.");
        assert_eq!(strings(&read[4]), [&b"v=DKIM1; k=rsa; "[..], b"p=MII(B)"]);
        assert_eq!(strings(&read[6]), [&b"\xc3\xa4\"\\;"[..], b"plain text", b""]);
        assert_eq!(read[9].data.to_string(), "mx.example.com.");
    }

    fn strings(record: &Record) -> Vec<&[u8]> {
        let RData::TXT(text) = &record.data else { panic!("{record} is not TXT") };
        text.txt_data.iter().map(AsRef::as_ref).collect()
    }

    #[test]
    fn the_faulty_line_is_named() {
        let long = format!("a. TXT \"{}\"", "x".repeat(256));
        for (text, expected) in [
            ("a. A 192.0.2.1\na. A nonsense", "line 2: record data: "),
            ("a. TXT \"open\n", "line 1: a quote or parenthesis is not closed"),
            ("\na. TXT ( \"open\"\n", "line 3: a quote or parenthesis is not closed"),
            ("a. TXT )", "line 1: a parenthesis was not opened"),
            ("  A 192.0.2.1", "line 1: a record has an owner, a type and data"),
            ("a.", "line 1: a record has an owner, a type and data"),
            ("a. TXT", "line 1: a record has an owner, a type and data"),
            ("a. TXT \"\\256\"", "line 1: an escape is "),
            ("a. TXT \\", "line 1: an escape is "),
            ("$INCLUDE other", "line 1: only $ORIGIN and $TTL are known"),
            ("a. DS 1 2 3 abc", "line 1: DS data are "),
            ("a..b. A 192.0.2.1", "line 1: a name: "),
            (&long, "line 1: a text has at most 255 octets"),
        ] {
            let fault = records(text).expect_err(text).to_string();
            assert!(fault.starts_with(expected), "{text:?}: {fault}");
        }
    }
}
