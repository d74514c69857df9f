//! The names of the client: what its reverse zone claims and the names themselves confirm (RFC 7208 §5.5).

use std::net::IpAddr;

use super::{
    name::{is_at_or_under, reverse_name, without_root_dot},
    question::{Answer, Data, Question, QuestionKind, ask},
};

/// More names are ignored and not an error: the domain owner has no say in them (RFC 7208 §4.6.4).
const MAX_CLIENT_NAMES: usize = 10;

/// Failures of DNS after which no more names are tried.
const MAX_FAILURES: usize = 2;

/// Asked for and confirmed at most once in an evaluation: at most 11 questions.
#[derive(Debug)]
pub(super) struct ClientNames<'e, L> {
    lookup: &'e L,
    client_ip: IpAddr,
    /// `None` before they are asked for.
    names: Option<Vec<ClientName>>,
    failures: usize,
}

/// What a question for the names has brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Learnt {
    /// Names, or a failure of DNS, or the question was not asked again.
    Something,
    /// The lookup was void.
    Nothing,
}

#[derive(Debug)]
struct ClientName {
    name: String,
    /// Whether the name has the address of the client. `None` before that was asked.
    is_confirmed: Option<bool>,
}

impl<'e, L, F> ClientNames<'e, L>
where
    L: Fn(Question) -> F,
    F: Future<Output = Answer>,
{
    pub(super) fn new(lookup: &'e L, client_ip: IpAddr) -> Self {
        Self { lookup, client_ip, names: None, failures: 0 }
    }

    pub(super) fn are_known(&self) -> bool {
        self.names.is_some()
    }

    /// Asks for the PTR records, unless they are known.
    pub(super) async fn learn(&mut self) -> Learnt {
        if self.are_known() {
            return Learnt::Something;
        }
        let answer = ask(self.lookup, &reverse_name(self.client_ip), QuestionKind::Ptr).await;
        let learnt = if answer.is_void() { Learnt::Nothing } else { Learnt::Something };
        let names = answer.records().unwrap_or_default().into_iter().filter_map(Data::name);
        self.names = Some(names.take(MAX_CLIENT_NAMES).map(|name| ClientName::new(&name)).collect());
        learnt
    }

    /// The first name that is wanted and confirmed. A name that cannot be confirmed because DNS fails is skipped; after two of
    /// those no more are tried, as each may take its time.
    pub(super) async fn first_confirmed(&mut self, is_wanted: impl Fn(&str) -> bool) -> Option<String> {
        let kind = address_kind(self.client_ip);
        for client in self.names.iter_mut().flatten().filter(|client| is_wanted(&client.name)) {
            if client.is_confirmed.is_none() {
                if MAX_FAILURES <= self.failures {
                    return None;
                }
                let addresses = ask(self.lookup, &client.name, kind).await.records();
                self.failures += usize::from(addresses.is_none());
                client.is_confirmed = Some(addresses.unwrap_or_default().contains(&Data::Address(self.client_ip)));
            }
            if client.is_confirmed == Some(true) {
                return Some(client.name.clone());
            }
        }
        None
    }

    /// For the macro `p`: the domain itself, or else a subdomain of it, or else any name (RFC 7208 §7.3).
    pub(super) async fn closest_to(&mut self, domain: &str) -> Option<String> {
        if let Some(name) = self.first_confirmed(|name| name.eq_ignore_ascii_case(domain)).await {
            return Some(name);
        }
        if let Some(name) = self.first_confirmed(|name| is_at_or_under(name, domain)).await {
            return Some(name);
        }
        self.first_confirmed(|_| true).await
    }
}

impl ClientName {
    fn new(name: &str) -> Self {
        Self { name: without_root_dot(name).to_owned(), is_confirmed: None }
    }
}

/// The address records that a client of this family can be among.
pub(super) fn address_kind(client_ip: IpAddr) -> QuestionKind {
    if client_ip.is_ipv4() { QuestionKind::A } else { QuestionKind::Aaaa }
}
