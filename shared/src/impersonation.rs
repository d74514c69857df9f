//! Who a message pretends to be from, and where it pretends to lead: names that read like those of others.
//!
//! What a name says is judged against who stands behind it: the same name is harmless where DMARC says that its owner wrote.

use crate::{
    address::Domain,
    author::Author,
    domain_list::{Class, DomainList},
    finding::{Finding, Severity},
    look_alike::LookAlikes,
    spf::is_at_or_under,
};

/// Hosts of links that the inspector tells, to be compared and asked about.
pub const MAX_HOSTS: usize = 200;

/// Findings about where replies go; more of them tell no more.
const MOST_REPLIES: usize = 5;

/// Codes of the findings that this file makes, with the README's words.
pub const FINDING_CODES: &[(&str, &str)] = &[
    ("author_look_alike", "the author's domain reads like a protected or well-known one"),
    (
        "reply_to_look_alike",
        "replies go to a domain that reads like a protected or well-known one, or like the author's",
    ),
    ("reply_to_free_mail", "the author writes from a domain of its own, and replies go to a free mailbox"),
    ("display_name_claims_brand", "the display name is that of a protected domain, and the author is of another"),
    ("link_look_alike", "a link leads to a host that reads like a protected or well-known one"),
];

/// What is known of a message besides its content.
#[derive(Debug, Clone, Copy)]
pub struct Sender<'m> {
    pub author: &'m Author,
    /// Domains of the mailboxes that replies go to, if the message names any.
    pub reply_to: &'m [Domain],
    /// The owner of the author's domain answers for the message.
    pub passes_dmarc: bool,
    /// A mailing list sent it: those name other authors and set where replies go.
    pub is_from_list: bool,
}

/// The names that this receiver protects, and the well-known ones.
#[derive(Debug, Clone)]
pub struct Names {
    protected: Vec<Domain>,
    look_alikes: LookAlikes,
}

impl Names {
    /// What is no domain is left out.
    #[must_use]
    pub fn new(protected: &[String]) -> Self {
        let protected: Vec<Domain> = protected.iter().filter_map(|name| Domain::parse(name).ok()).collect();
        Self { look_alikes: LookAlikes::new(&protected), protected }
    }

    /// What misleads about the sender. `list` knows who gives mailboxes away.
    #[must_use]
    pub fn of_sender(&self, sender: Sender<'_>, list: &DomainList) -> Vec<Finding> {
        let Ok(author) = Domain::parse(&sender.author.domain) else { return Vec::new() };
        let findings = [self.author(&author), self.brand(sender, &author)];
        let replies = sender.reply_to.iter().filter_map(|reply_to| self.reply_to(sender, &author, reply_to, list));
        findings.into_iter().flatten().chain(replies.take(MOST_REPLIES)).collect()
    }

    /// What misleads about where links lead. `hosts` are what the inspector saw.
    #[must_use]
    pub fn of_links(&self, hosts: &[String]) -> Vec<Finding> {
        let hosts = hosts.iter().take(MAX_HOSTS).filter_map(|host| Domain::parse(host).ok());
        let judged = hosts.filter_map(|host| {
            let (severity, detail) = self.link(&host)?;
            Some(Finding::new("link_look_alike", severity, detail).at(host.unicode().into_owned()))
        });
        judged.collect()
    }

    fn author(&self, author: &Domain) -> Option<Finding> {
        let imitated = self.look_alikes.imitated(author)?;
        let detail = format!("The author's domain, {}, reads like {imitated} and is another.", author.unicode());
        Some(Finding::new("author_look_alike", Severity::Quarantine, detail))
    }

    /// `Shop Service <x@elsewhere.example>`. A name that is only like a word of it, as in `Shopkeeper`, is no claim.
    fn brand(&self, sender: Sender<'_>, author: &Domain) -> Option<Finding> {
        let name = sender.author.display_name.as_deref().unwrap_or_default().to_lowercase();
        let claimed = self.protected.iter().find(|own| {
            let label = name_of(own);
            let is_own = is_at_or_under(author.as_str(), own.as_str()) || author.labels().any(|part| part == label);
            LEAST_BRAND <= label.len() && !is_own && words(&name).any(|word| reads_as(word, label))
        })?;
        let severity = if sender.passes_dmarc { Severity::Review } else { Severity::Quarantine };
        let detail =
            format!("The display name claims {}, but the author is of {}.", name_of(claimed), author.unicode());
        Some(Finding::new("display_name_claims_brand", severity, detail))
    }

    fn reply_to(&self, sender: Sender<'_>, author: &Domain, reply_to: &Domain, list: &DomainList) -> Option<Finding> {
        if are_related(author, reply_to) {
            return None;
        }
        let of_author = LookAlikes::new(std::slice::from_ref(author));
        let is_free = |domain: &Domain| list.class(domain) == Some(Class::Free);
        let imitated = self.look_alikes.imitated(reply_to).or_else(|| {
            let is_comparable = !is_free(author) && !sender.is_from_list;
            is_comparable.then(|| of_author.imitated(reply_to)).flatten().filter(|name| *name == author.as_str())
        });
        if let Some(imitated) = imitated {
            let detail = format!("Replies go to {}, which reads like {imitated} and is another.", reply_to.unicode());
            return Some(Finding::new("reply_to_look_alike", Severity::Quarantine, detail));
        }
        if !is_free(reply_to) || is_free(author) {
            return None;
        }
        let severity = if sender.is_from_list { Severity::Info } else { Severity::Review };
        let detail = format!("The author is of {author}, and replies go to a free mailbox at {reply_to}.");
        Some(Finding::new("reply_to_free_mail", severity, detail))
    }

    fn link(&self, host: &Domain) -> Option<(Severity, String)> {
        let shown = host.unicode();
        if let Some(own) = self.protected.iter().find(|own| is_dressed_as(host, own)) {
            return Some((
                Severity::Quarantine,
                format!("The host {shown} begins with {own} and belongs to somebody else."),
            ));
        }
        let imitated = self.look_alikes.imitated(host)?;
        let is_same_word = self.protected.iter().any(|own| host.labels().any(|label| label == name_of(own)));
        // `shop.example` and `shop.provider.example` may both be ours: the name is spelt as it is.
        let severity = if is_same_word { Severity::Info } else { Severity::Quarantine };
        Some((severity, format!("The host {shown} reads like {imitated} and is another.")))
    }
}

/// Shorter names are words of many languages.
const LEAST_BRAND: usize = 5;

/// The label that a domain is known by.
fn name_of(domain: &Domain) -> &str {
    const SECOND_LEVELS: [&str; 6] = ["co", "com", "org", "net", "ac", "gov"];
    let mut labels = domain.labels().rev().skip(1).peekable();
    let first = labels.next().unwrap_or_default();
    if SECOND_LEVELS.contains(&first) { labels.next().unwrap_or(first) } else { first }
}

fn words(name: &str) -> impl Iterator<Item = &str> {
    name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

/// The same letters, or letters that pass for them.
fn reads_as(word: &str, label: &str) -> bool {
    word == label || (!word.is_ascii() && unicode_security::confusable_detection::skeleton(word).eq(label.chars()))
}

/// `paypal.com.elsewhere.example`: who reads from the left believes to be at home.
fn is_dressed_as(host: &Domain, own: &Domain) -> bool {
    let host = host.as_str();
    let starts = |prefix: &str| host.strip_prefix(prefix).is_some_and(|rest| rest.contains('.'));
    let is_inside = host.contains(&format!(".{own}.")) || host.contains(&format!(".{own}-"));
    let is_dressed = is_inside || starts(&format!("{own}.")) || starts(&format!("{own}-"));
    // `example.com.au` is a name that somebody registered, and not below `com.au`.
    is_dressed && !is_at_or_under(host, own.as_str()) && host.split('.').count() > own.labels().count() + 1
}

/// `alerts.example.com` and `replies.example.com` too: the same name stands in front of the same end.
fn are_related(one: &Domain, other: &Domain) -> bool {
    let registered = |domain: &Domain| {
        let labels: Vec<&str> = domain.labels().collect();
        let first = labels.iter().rposition(|label| *label == name_of(domain)).unwrap_or_default();
        labels.get(first..).unwrap_or_default().join(".")
    };
    registered(one) == registered(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain_list::DomainList as List;

    const PROTECTED: [&str; 4] = ["fabrikam.example", "paypal.com", "apple.com", "ing.nl"];

    fn names() -> Names {
        Names::new(&PROTECTED.map(str::to_owned))
    }

    fn author_of(name: &str, domain: &str) -> Author {
        let display_name = (!name.is_empty()).then(|| name.to_owned());
        Author { display_name, local_part: "ann".to_owned(), domain: domain.to_owned() }
    }

    fn domains(names: Option<&str>) -> Vec<Domain> {
        names
            .into_iter()
            .flat_map(|names| names.split(' '))
            .map(|name| Domain::parse(name).expect("a domain"))
            .collect()
    }

    fn codes(name: &str, domain: &str, reply_to: Option<&str>, passes_dmarc: bool) -> Vec<String> {
        let (author, reply_to) = (author_of(name, domain), domains(reply_to));
        let sender = Sender { author: &author, reply_to: &reply_to, passes_dmarc, is_from_list: false };
        let findings = names().of_sender(sender, &List::embedded());
        findings.iter().map(|finding| format!("{} {}", finding.severity.as_str(), finding.code)).collect()
    }

    #[test]
    fn a_sender_who_is_who_it_says_has_no_finding() {
        for (name, domain, reply_to) in [
            ("PayPal", "paypal.com", None),
            ("PayPal Service", "mail.paypal.com", Some("paypal.com")),
            ("PayPal", "paypal.de", None),
            ("Ann Applegate", "contoso.example", None),
            ("ING Ann", "contoso.example", None),
            ("Ann Lee", "gmail.com", Some("gmail.com")),
            ("Ann Lee", "gmail.com", Some("yahoo.com")),
            ("Ann Lee", "news.contoso.example", Some("contoso.example")),
            ("Ann Lee", "alerts.contoso.example", Some("talk2.contoso.example")),
            ("Ann Lee", "alerts.contoso.co.uk", Some("talk2.contoso.co.uk")),
            ("Ann Lee", "contoso.example", Some("helpdesk.example")),
        ] {
            assert_eq!(codes(name, domain, reply_to, false), [""; 0], "{name} {domain} {reply_to:?}");
        }
    }

    #[test]
    fn a_sender_who_pretends_to_be_another_is_found() {
        for (name, domain, reply_to, passes_dmarc, expected) in [
            ("", "paypa1.com", None, true, "quarantine author_look_alike"),
            ("", "xn--pypal-4ve.com", None, false, "quarantine author_look_alike"),
            ("", "fabrikan.example", None, false, "quarantine author_look_alike"),
            ("PayPal Service", "contoso.example", None, false, "quarantine display_name_claims_brand"),
            ("PayPal Service", "contoso.example", None, true, "review display_name_claims_brand"),
            ("Your \u{440}aypal account", "contoso.example", None, false, "quarantine display_name_claims_brand"),
            ("", "fabrikam.example", Some("fabrikan.example"), true, "quarantine reply_to_look_alike"),
            ("", "contoso.example", Some("contosso.example"), true, "quarantine reply_to_look_alike"),
            ("", "contoso.co.uk", Some("contosso.co.uk"), true, "quarantine reply_to_look_alike"),
            ("", "contoso.example", Some("gmail.com"), true, "review reply_to_free_mail"),
            ("", "contoso.example", Some("contoso.example contosso.example"), true, "quarantine reply_to_look_alike"),
            ("", "contoso.example", Some("contoso.example gmail.com"), true, "review reply_to_free_mail"),
        ] {
            assert_eq!(codes(name, domain, reply_to, passes_dmarc), [expected], "{name} {domain} {reply_to:?}");
        }
    }

    #[test]
    fn a_list_may_write_for_others_and_lead_replies_to_them() {
        let (author, reply_to) = (author_of("Ann Lee", "lists.example"), domains(Some("gmail.com")));
        let told = |is_from_list| {
            let sender = Sender { author: &author, reply_to: &reply_to, passes_dmarc: false, is_from_list };
            let findings = names().of_sender(sender, &List::embedded());
            findings.iter().map(|finding| (finding.code.to_string(), finding.severity)).collect::<Vec<_>>()
        };
        assert_eq!(told(true), [("reply_to_free_mail".to_owned(), Severity::Info)]);
        assert_eq!(told(false), [("reply_to_free_mail".to_owned(), Severity::Review)]);
    }

    #[test]
    fn hosts_of_links_are_compared_with_the_names() {
        for (host, expected) in [
            ("www.paypal.com", None),
            ("paypal.de", None),
            ("docs.example.org", None),
            ("fabrikam.zendesk.com", Some(Severity::Info)),
            ("paypa1.com", Some(Severity::Quarantine)),
            ("login.xn--pypal-4ve.com", Some(Severity::Quarantine)),
            ("paypal.com.contoso.example", Some(Severity::Quarantine)),
            ("www.paypal.com-login.contoso.example", Some(Severity::Quarantine)),
            ("fabrikan.example", Some(Severity::Quarantine)),
        ] {
            let findings = names().of_links(&[host.to_owned()]);
            assert_eq!(findings.first().map(|finding| finding.severity), expected, "{host}");
        }
    }
}
