//! The names that are answered from data, without a network. Pure: a question in, an answer out.

use super::master_file::{self, MasterFileError};
use hickory_resolver::proto::rr::rdata::SOA;
use hickory_resolver::proto::rr::{LowerName, Name, RData, Record, RecordType};
use std::collections::{HashMap, HashSet};
use std::str::FromStr;

/// Aliases followed for one question. A longer chain is a failure, as it is to resolvers.
const MAX_ALIASES: usize = 16;
const SYNTHETIC_TTL: u32 = 60;

/// Records by name, and where this zone's authority ends. Names are absolute and compared without regard to case.
#[derive(Debug)]
pub struct Zone {
    nodes: HashMap<LowerName, Vec<Record>>,
    /// Every owner name and everything above one: what exists, be it without records (RFC 8020).
    existing: HashSet<LowerName>,
    faults: Faults,
    suffixes: Vec<LowerName>,
}

/// By name, the type of question concerned (all, if `None`) and how it fails; the first that concerns one counts.
type Faults = HashMap<LowerName, Vec<(Option<RecordType>, Fault)>>;

/// How a question fails that is to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// No answer at all.
    Timeout,
    ServFail,
    Refused,
}

/// The outcome of a question. `aliases` are the CNAME records on the way, first one first.
#[derive(Debug, PartialEq)]
pub enum Answer {
    /// Aliases and the records asked for, in the order of RFC 1034 §4.3.2.
    Records(Vec<Record>),
    /// The name exists, the type does not (RFC 2308 §2.2).
    NoData {
        aliases: Vec<Record>,
        soa: Record,
    },
    /// The name does not exist, nor anything below it (RFC 8020).
    NxDomain {
        aliases: Vec<Record>,
        soa: Record,
    },
    /// Someone else answers for `name`.
    Elsewhere {
        aliases: Vec<Record>,
        name: Name,
    },
    Fault(Fault),
}

/// Why text is not a zone.
#[derive(Debug, thiserror::Error)]
pub enum ZoneError {
    #[error(transparent)]
    MasterFile(#[from] MasterFileError),
    #[error("line {line}: a behaviour is `;behaviour NAME TYPE|* timeout|servfail|refused`")]
    Behaviour { line: usize },
    #[error("{0:?} is not a domain name")]
    Suffix(String),
}

impl Zone {
    /// Reads a master file (RFC 1035 §5.1) and takes authority over `suffixes`, or over everything if there is none.
    ///
    /// Reverse names (RFC 1035 §3.5) that the file has records for are answered, too. A line
    /// `;behaviour NAME TYPE|* timeout|servfail|refused`, a comment to everyone else, makes questions for NAME fail.
    ///
    /// # Errors
    /// Names the line that cannot be read.
    pub fn parse(text: &str, suffixes: &[&str]) -> Result<Self, ZoneError> {
        let mut nodes: HashMap<LowerName, Vec<Record>> = HashMap::new();
        for record in master_file::records(text)? {
            let node = nodes.entry(LowerName::new(&record.name)).or_default();
            if !node.iter().any(|other| other.data == record.data) {
                node.push(record);
            }
        }
        let suffixes =
            suffixes.iter().map(|suffix| absolute(suffix).ok_or_else(|| ZoneError::Suffix((*suffix).into())));
        Ok(Self {
            existing: nodes.keys().flat_map(with_ancestors).collect(),
            nodes,
            faults: faults(text)?,
            suffixes: suffixes.collect::<Result<_, _>>()?,
        })
    }

    /// Answers a question of class IN. The owner name of what answers it is written as it was asked.
    #[must_use]
    pub fn lookup(&self, name: &Name, record_type: RecordType) -> Answer {
        let mut aliases = Vec::new();
        let mut name = name.clone();
        while aliases.len() <= MAX_ALIASES {
            let key = LowerName::new(&name);
            if !self.is_ours(&key) {
                return Answer::Elsewhere { aliases, name };
            }
            if let Some(fault) = self.fault(&key, record_type) {
                return Answer::Fault(fault);
            }
            let Some(node) = self.node(&key) else {
                return Answer::NxDomain { aliases, soa: self.authority(&key) };
            };
            let records = of_type(node, record_type, &name);
            if !records.is_empty() {
                return Answer::Records([aliases, records].concat());
            }
            let Some(alias) = of_type(node, RecordType::CNAME, &name).pop() else {
                return Answer::NoData { aliases, soa: self.authority(&key) };
            };
            if let RData::CNAME(target) = &alias.data {
                name = target.0.clone();
            }
            aliases.push(alias);
        }
        Answer::Fault(Fault::ServFail)
    }

    fn is_ours(&self, name: &LowerName) -> bool {
        let below = |suffix: &LowerName| suffix.zone_of(name);
        self.suffixes.is_empty() || self.suffixes.iter().any(below) || is_reverse(name) && self.nodes.contains_key(name)
    }

    fn fault(&self, name: &LowerName, record_type: RecordType) -> Option<Fault> {
        let faults = self.faults.get(name)?;
        let concerned = |of: &Option<RecordType>| of.is_none_or(|of| of == record_type);
        faults.iter().find(|(of, _)| concerned(of)).map(|(_, fault)| *fault)
    }

    /// The records at a name, empty at one that only has others below it; wildcards as in RFC 4592 §3.3.1.
    fn node(&self, name: &LowerName) -> Option<&[Record]> {
        if let Some(records) = self.nodes.get(name) {
            return Some(records);
        }
        if self.existing.contains(name) {
            return Some(&[]);
        }
        let closest_encloser = with_ancestors(name).find(|ancestor| self.existing.contains(ancestor))?;
        let wildcard = Name::from_labels(["*"]).and_then(|star| star.append_domain(&closest_encloser)).ok()?;
        self.nodes.get(&LowerName::from(wildcard)).map(Vec::as_slice)
    }

    /// The SOA record that goes with a negative answer: the file's, else one made up at the top of what is ours.
    fn authority(&self, name: &LowerName) -> Record {
        let is_soa = |record: &&Record| record.record_type() == RecordType::SOA;
        let stated = with_ancestors(name).find_map(|ancestor| self.nodes.get(&ancestor)?.iter().find(is_soa));
        stated.cloned().unwrap_or_else(|| {
            let apex =
                self.suffixes.iter().filter(|suffix| suffix.zone_of(name)).max_by_key(|suffix| suffix.num_labels());
            synthetic_soa(apex.map_or_else(Name::root, Name::from))
        })
    }
}

/// The records of a type, owned by `name`: a wildcard's own name is not what was asked for.
fn of_type(node: &[Record], record_type: RecordType, name: &Name) -> Vec<Record> {
    let answers = |record: &&Record| record_type == RecordType::ANY || record.record_type() == record_type;
    let owned = |record: &Record| Record::from_rdata(name.clone(), record.ttl, record.data.clone());
    node.iter().filter(answers).map(owned).collect()
}

fn faults(text: &str) -> Result<Faults, ZoneError> {
    let mut faults = Faults::new();
    for (index, line) in text.lines().enumerate() {
        if let Some(behaviour) = line.strip_prefix(";behaviour ") {
            let (name, of, fault) = fault(behaviour).ok_or(ZoneError::Behaviour { line: index + 1 })?;
            faults.entry(name).or_default().push((of, fault));
        }
    }
    Ok(faults)
}

fn fault(behaviour: &str) -> Option<(LowerName, Option<RecordType>, Fault)> {
    let mut words = behaviour.split_whitespace();
    let name = absolute(words.next()?)?;
    let record_type = match words.next()? {
        "*" => None,
        of => Some(RecordType::from_str(&of.to_ascii_uppercase()).ok()?),
    };
    let fault = match words.next()? {
        "timeout" => Fault::Timeout,
        "servfail" => Fault::ServFail,
        "refused" => Fault::Refused,
        _ => return None,
    };
    words.next().is_none().then_some((name, record_type, fault))
}

fn absolute(text: &str) -> Option<LowerName> {
    Name::parse(text, Some(&Name::root())).ok().map(LowerName::from)
}

fn with_ancestors(name: &LowerName) -> impl Iterator<Item = LowerName> {
    std::iter::successors(Some(name.clone()), |name| (!name.is_root()).then(|| name.base_name()))
}

fn is_reverse(name: &LowerName) -> bool {
    ["in-addr.arpa.", "ip6.arpa."].into_iter().filter_map(absolute).any(|arpa| arpa.zone_of(name))
}

fn synthetic_soa(apex: Name) -> Record {
    let ttl = SYNTHETIC_TTL;
    let interval = i32::try_from(ttl).unwrap_or(i32::MAX);
    let soa = SOA::new(apex.clone(), apex.clone(), 1, interval, interval, interval, ttl);
    Record::from_rdata(apex, ttl, RData::SOA(soa))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
example.com.            300 IN SOA ns.example.com. hostmaster.example.com. 1 7200 900 1209600 120
example.com.            300 IN MX 10 mx.example.com.
mx.example.com.         300 IN A 192.0.2.1
a.deep.example.com.     300 IN A 192.0.2.2
*.wild.example.com.     300 IN TXT "any"
*.wild.example.com.     300 IN MX 0 .
www.example.com.        300 IN CNAME alias.example.net.
alias.example.net.      300 IN CNAME mx.example.com.
gone.example.com.       300 IN CNAME nothing.example.net.
away.example.com.       300 IN CNAME host.invalid.
loop.example.com.       300 IN CNAME loop.example.com.
1.2.0.192.in-addr.arpa. 300 IN PTR mx.example.com.
;behaviour slow.example.com. * timeout
;behaviour mx.example.com. TXT servfail
;behaviour mx.example.com. aaaa refused
"#;

    fn zone() -> Zone {
        Zone::parse(TEXT, &["example.com", "example.net"]).expect("the text is a zone")
    }

    /// The outcome in one line: what it is, and the data of each record in the answer section.
    fn ask(name: &str, record_type: RecordType) -> String {
        let name = Name::from_ascii(name).expect("a name");
        let (outcome, records) = match zone().lookup(&name, record_type) {
            Answer::Records(records) => ("records".to_owned(), records),
            Answer::NoData { aliases, soa } => (format!("no data, {} {}", soa.name, soa.ttl), aliases),
            Answer::NxDomain { aliases, soa } => (format!("no name, {} {}", soa.name, soa.ttl), aliases),
            Answer::Elsewhere { aliases, name } => (format!("elsewhere {name}"), aliases),
            Answer::Fault(fault) => (format!("{fault:?}"), Vec::new()),
        };
        let data: Vec<_> = records.iter().map(|record| record.data.to_string()).collect();
        format!("{outcome}: {}", data.join(", "))
    }

    #[test]
    fn questions_are_answered_as_rfc_1034_and_its_successors_say() {
        for (name, record_type, expected) in [
            ("example.com.", RecordType::MX, "records: 10 mx.example.com."),
            ("EXAMPLE.com.", RecordType::MX, "records: 10 mx.example.com."),
            ("example.com.", RecordType::A, "no data, example.com. 300: "),
            ("deep.example.com.", RecordType::A, "no data, example.com. 300: "),
            ("none.example.com.", RecordType::A, "no name, example.com. 300: "),
            ("none.example.net.", RecordType::A, "no name, example.net. 60: "),
            ("b.deep.example.com.", RecordType::A, "no name, example.com. 300: "),
            ("x.wild.example.com.", RecordType::TXT, "records: any"),
            ("x.y.wild.example.com.", RecordType::MX, "records: 0 ."),
            ("x.wild.example.com.", RecordType::A, "no data, example.com. 300: "),
            ("wild.example.com.", RecordType::TXT, "no data, example.com. 300: "),
            ("www.example.com.", RecordType::A, "records: alias.example.net., mx.example.com., 192.0.2.1"),
            ("www.example.com.", RecordType::CNAME, "records: alias.example.net."),
            ("www.example.com.", RecordType::MX, "no data, example.com. 300: alias.example.net., mx.example.com."),
            ("gone.example.com.", RecordType::A, "no name, example.net. 60: nothing.example.net."),
            ("away.example.com.", RecordType::A, "elsewhere host.invalid.: host.invalid."),
            ("loop.example.com.", RecordType::A, "ServFail: "),
            ("1.2.0.192.in-addr.arpa.", RecordType::PTR, "records: mx.example.com."),
            ("2.2.0.192.in-addr.arpa.", RecordType::PTR, "elsewhere 2.2.0.192.in-addr.arpa.: "),
            ("example.info.", RecordType::A, "elsewhere example.info.: "),
            ("notexample.com.", RecordType::A, "elsewhere notexample.com.: "),
            ("slow.example.com.", RecordType::MX, "Timeout: "),
            ("mx.example.com.", RecordType::TXT, "ServFail: "),
            ("mx.example.com.", RecordType::AAAA, "Refused: "),
            ("www.example.com.", RecordType::TXT, "ServFail: "),
        ] {
            assert_eq!(ask(name, record_type), expected, "{name} {record_type}");
        }
    }

    #[test]
    fn a_zone_without_suffixes_answers_everything() {
        let zone = Zone::parse(TEXT, &[]).expect("the text is a zone");
        let name = Name::from_ascii("example.info.").expect("a name");
        let Answer::NxDomain { soa, .. } = zone.lookup(&name, RecordType::A) else { panic!("nobody else is asked") };
        assert_eq!(soa.name, Name::root());
    }

    #[test]
    fn a_line_that_cannot_be_read_is_named() {
        for (text, expected) in [
            (
                "\n;behaviour example.com. MX",
                "line 2: a behaviour is `;behaviour NAME TYPE|* timeout|servfail|refused`",
            ),
            ("\n\nexample.com. 300 IN", "line 3: a record has an owner, a type and data"),
        ] {
            assert_eq!(Zone::parse(text, &[]).expect_err(text).to_string(), expected);
        }
    }
}
