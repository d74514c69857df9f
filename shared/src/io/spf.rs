//! How the questions of the nouns are answered by hickory.

use crate::spf::{Answer, Data, Question, QuestionKind};
use hickory_resolver::{
    TokioResolver,
    net::{DnsError, NetError},
    proto::{
        op::ResponseCode,
        rr::{Name, RData, RecordType},
    },
};

/// Answers a question of an SPF or DMARC evaluation, or about what a domain publishes.
pub(super) async fn answer(resolver: &TokioResolver, question: Question) -> Answer {
    let Some(name) = wire_name(&question.name) else { return Answer::NxDomain };
    let kind = record_type(question.kind);
    match resolver.lookup(name, kind).await {
        Ok(lookup) => {
            let records = lookup.answers().iter().filter(|record| record.record_type() == kind);
            let data: Vec<Data> = records.map(|record| data(&record.data)).collect();
            if data.is_empty() { Answer::NoRecords } else { Answer::Records(data) }
        }
        Err(NetError::Dns(DnsError::NoRecordsFound(none))) => match none.response_code {
            ResponseCode::NXDomain => Answer::NxDomain,
            ResponseCode::NoError => Answer::NoRecords,
            _ => Answer::Failed,
        },
        Err(_) => Answer::Failed,
    }
}

fn record_type(kind: QuestionKind) -> RecordType {
    match kind {
        QuestionKind::Txt => RecordType::TXT,
        QuestionKind::A => RecordType::A,
        QuestionKind::Aaaa => RecordType::AAAA,
        QuestionKind::Mx => RecordType::MX,
        QuestionKind::Ptr => RecordType::PTR,
        QuestionKind::Soa => RecordType::SOA,
        QuestionKind::Ds => RecordType::DS,
        QuestionKind::Spf => RecordType::Unknown(99),
    }
}

/// Labels go to the wire as they are: a policy may ask for names that have no presentation form without escapes.
fn wire_name(name: &str) -> Option<Name> {
    let mut wire_name = Name::from_labels(name.split('.').map(str::as_bytes)).ok()?;
    wire_name.set_fqdn(true);
    Some(wire_name)
}

fn data(rdata: &RData) -> Data {
    match rdata {
        RData::TXT(txt) => Data::Text(txt.txt_data.concat()),
        RData::MX(mx) => Data::MailHost { preference: mx.preference, name: plain_name(&mx.exchange) },
        RData::PTR(ptr) => Data::Name(plain_name(ptr)),
        other => other.ip_addr().map_or(Data::Other, Data::Address),
    }
}

/// A name with anything but text in its labels becomes one that nobody can ask for: it still counts as a record.
fn plain_name(name: &Name) -> String {
    let label =
        |octets| std::str::from_utf8(octets).ok().filter(|label: &&str| label.is_ascii() && !label.contains('.'));
    let labels: Option<Vec<&str>> = name.iter().map(label).collect();
    labels.map_or_else(String::new, |labels| labels.join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_goes_to_the_wire_and_back_as_it_is() {
        for name in
            ["mail.example.com", "foo:bar/baz.example.com", "a b%c.example", "back\\slash.example", "_x.*.example"]
        {
            assert_eq!(plain_name(&wire_name(name).expect(name)), name);
        }
        assert_eq!(plain_name(&Name::root()), "");
    }
}
