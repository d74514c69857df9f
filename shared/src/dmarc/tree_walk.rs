//! The DNS tree walk (RFC 9989 §4.10), and the organizational domain that it finds (§4.10.2).

use std::{collections::BTreeMap, iter::successors};

use super::record::{Psd, Record, is_dmarc};
use crate::spf::{Answer, Data, Question, QuestionKind, ask};

/// Names that one walk asks for (RFC 9989 §4.10): the start, and at most the seven above it that are the shortest.
pub const MAX_WALK_QUERIES: usize = 8;

/// What one name has under `_dmarc`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Published {
    One(Record),
    /// All of them are discarded (RFC 9989 §4.10, step 2).
    Several,
    Nothing,
}

/// DNS failed, so nobody knows what is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unanswered;

/// The walks of one evaluation. None asks for a name that another one asked for.
///
/// What is remembered are answers to questions of DMARC, for one message: an answer that somebody else's question
/// brought is never read as a DMARC record.
pub(super) struct TreeWalks<'e, L> {
    lookup: &'e L,
    known: BTreeMap<String, Result<Published, Unanswered>>,
}

impl<'e, L, F> TreeWalks<'e, L>
where
    L: Fn(Question) -> F,
    F: Future<Output = Answer>,
{
    pub(super) fn new(lookup: &'e L) -> Self {
        Self { lookup, known: BTreeMap::new() }
    }

    pub(super) async fn published_at(&mut self, domain: &str) -> Result<Published, Unanswered> {
        if let Some(known) = self.known.get(domain) {
            return *known;
        }
        let published = published(ask(self.lookup, &format!("_dmarc.{domain}"), QuestionKind::Txt).await);
        self.known.insert(domain.to_owned(), published);
        published
    }

    /// The records from `start` upwards, the longest name first. Only the last one can have a `psd` tag that says
    /// something, because the walk ends there.
    pub(super) async fn walk<'d>(&mut self, start: &'d str) -> Result<Vec<(&'d str, Record)>, Unanswered> {
        let mut found = Vec::new();
        for name in targets(start) {
            if let Published::One(record) = self.published_at(name).await? {
                found.push((name, record));
                if record.psd != Psd::Unknown {
                    break;
                }
            }
        }
        Ok(found)
    }
}

/// The organizational domain of `start` by the records that the walk from there found (RFC 9989 §4.10.2): `start` itself
/// or a domain above it.
pub(crate) fn organizational_domain<'d>(start: &'d str, found: &[(&'d str, Record)]) -> &'d str {
    match found.last() {
        Some((name, record)) if record.psd == Psd::PublicSuffix => one_label_below(name, start),
        Some((name, _)) => name,
        None => start,
    }
}

fn published(answer: Answer) -> Result<Published, Unanswered> {
    let records = match answer {
        Answer::Records(records) => records,
        Answer::NoRecords | Answer::NxDomain => return Ok(Published::Nothing),
        Answer::Failed => return Err(Unanswered),
    };
    let mut texts = records.into_iter().filter_map(Data::text).filter(|text| is_dmarc(text));
    Ok(match (texts.next(), texts.next()) {
        (Some(text), None) => Record::parse(&text).map_or(Published::Nothing, Published::One),
        (Some(_), Some(_)) => Published::Several,
        (None, _) => Published::Nothing,
    })
}

/// The names that one walk asks for, the longest first, at most [`MAX_WALK_QUERIES`].
pub(crate) fn targets(start: &str) -> Vec<&str> {
    let names: Vec<&str> = at_and_above(start).collect();
    let skipped = names.len().saturating_sub(MAX_WALK_QUERIES);
    let above = names.iter().skip(1 + skipped);
    names.iter().take(1).chain(above).copied().collect()
}

/// `start` when that is the public suffix domain itself (RFC 9989 §4.10.2, step 2).
fn one_label_below<'d>(public_suffix: &str, start: &'d str) -> &'d str {
    at_and_above(start).take_while(|name| *name != public_suffix).last().unwrap_or(start)
}

fn at_and_above(domain: &str) -> impl Iterator<Item = &str> {
    successors(Some(domain), |name| name.split_once('.').map(|(_, above)| above))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(tags: &str) -> Record {
        Record::parse(format!("v=DMARC1; p=none; {tags}").as_bytes()).expect(tags)
    }

    #[test]
    fn a_walk_asks_for_the_start_and_at_most_seven_names_above_it() {
        for (start, expected) in [
            ("com", vec!["com"]),
            ("example.com", vec!["example.com", "com"]),
            (
                "a.b.c.d.e.f.example.com",
                vec![
                    "a.b.c.d.e.f.example.com",
                    "b.c.d.e.f.example.com",
                    "c.d.e.f.example.com",
                    "d.e.f.example.com",
                    "e.f.example.com",
                    "f.example.com",
                    "example.com",
                    "com",
                ],
            ),
            (
                "a.b.c.d.e.f.g.h.i.j.mail.example.com",
                vec![
                    "a.b.c.d.e.f.g.h.i.j.mail.example.com",
                    "g.h.i.j.mail.example.com",
                    "h.i.j.mail.example.com",
                    "i.j.mail.example.com",
                    "j.mail.example.com",
                    "mail.example.com",
                    "example.com",
                    "com",
                ],
            ),
        ] {
            assert_eq!(targets(start), expected);
            assert!(targets(start).len() <= MAX_WALK_QUERIES);
        }
    }

    #[test]
    fn the_organizational_domain_is_where_the_walk_ended() {
        let (plain, suffix, organization) = (record(""), record("psd=y"), record("psd=n"));
        for (start, found, expected) in [
            ("a.mail.example.com", vec![], "a.mail.example.com"),
            ("a.mail.example.com", vec![("mail.example.com", plain), ("example.com", plain)], "example.com"),
            ("a.mail.example.com", vec![("a.mail.example.com", plain)], "a.mail.example.com"),
            ("a.mail.example.com", vec![("a.mail.example.com", plain), ("com", plain)], "com"),
            ("a.mail.example.com", vec![("mail.example.com", organization)], "mail.example.com"),
            ("a.mail.example.com", vec![("com", suffix)], "example.com"),
            ("a.mail.example.com", vec![("mail.example.com", plain), ("com", suffix)], "example.com"),
            ("a.mail.example.com", vec![("example.com", suffix)], "mail.example.com"),
            ("bank.example", vec![("bank.example", suffix)], "bank.example"),
        ] {
            assert_eq!(organizational_domain(start, &found), expected, "{found:?}");
        }
    }

    #[test]
    fn a_name_has_one_record_several_or_none() {
        let texts =
            |texts: &[&str]| Answer::Records(texts.iter().map(|text| Data::Text(text.as_bytes().to_vec())).collect());
        let one = Ok(Published::One(record("")));
        for (answer, expected) in [
            (texts(&["v=DMARC1; p=none"]), one),
            (texts(&["v=spf1 -all", "v=DMARC1; p=none", "v=dmarc1; p=reject", " v=DMARC1; p=reject"]), one),
            (texts(&["v=DMARC1; p=none", "v=DMARC1; p=none"]), Ok(Published::Several)),
            (texts(&["v=DMARC1; p=none", "v=DMARC1; p=none; p=none"]), Ok(Published::Several)),
            (texts(&["v=DMARC1; p=none; p=reject"]), Ok(Published::Nothing)),
            (texts(&["v=spf1 -all"]), Ok(Published::Nothing)),
            (texts(&[]), Ok(Published::Nothing)),
            (Answer::Records(vec![Data::Name("v=DMARC1".to_owned())]), Ok(Published::Nothing)),
            (Answer::NoRecords, Ok(Published::Nothing)),
            (Answer::NxDomain, Ok(Published::Nothing)),
            (Answer::Failed, Err(Unanswered)),
        ] {
            assert_eq!(published(answer.clone()), expected, "{answer:?}");
        }
    }
}
