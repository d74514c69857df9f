//! What is wrong with the links of a part.

mod code;
mod promise;
mod scheme;

use std::{
    collections::{BTreeMap, HashSet},
    net::IpAddr,
};

use super::{
    Asks, Link, MAX_LINKS, Place, Target,
    rewriter::MAX_WRAPS,
    services::{Service, service},
    shown::is_reserved,
    target::Address,
};
use crate::{
    content::{markup::MAX_ATTRIBUTES, mime},
    finding::{Finding, Severity},
    impersonation::MAX_HOSTS,
};

/// Findings of one code in one message; a hundred links of the same kind tell no more than five.
const MOST_OF_A_CODE: usize = 5;

/// What is known of the message around the links.
#[derive(Debug, Clone, Default)]
pub struct Linked {
    /// Domain of the author, as A-labels.
    pub author_domain: Option<String>,
}

/// Findings, and the hosts that links lead to. One for a message, whatever number of parts it has.
#[derive(Debug, Default)]
pub struct Judgement {
    pub findings: Vec<Finding>,
    /// Names, not addresses, that a reader is led to; in the order of the message.
    followed_hosts: Vec<String>,
    /// Those that only pictures are of.
    other_hosts: Vec<String>,
    seen: HashSet<Link>,
    /// How many of them stand in attached files.
    in_files: usize,
    targets: HashSet<String>,
    /// Addresses that the text of the letter shows as they are.
    shown_ips: HashSet<IpAddr>,
    by_code: BTreeMap<&'static str, usize>,
    known_hosts: HashSet<(String, bool)>,
    /// Where codes in pictures lead.
    codes: Vec<code::Led>,
    /// All that was found, also what is not told again.
    found: usize,
}

/// One link that is being judged.
struct Case<'l> {
    link: &'l Link,
    /// The part that it stands in.
    path: &'l str,
    linked: &'l Linked,
    /// Addresses that stand around this one.
    wraps: usize,
}

/// Judges the links of the part `path`. Each link counts once in a message.
pub fn judge(links: &[Link], path: &str, linked: &Linked, into: &mut Judgement) {
    for link in links {
        let is_in_file = link.place == Place::File;
        let known = if is_in_file { into.in_files } else { into.seen.len() - into.in_files };
        if MAX_LINKS <= known && !into.seen.contains(link) {
            let detail =
                format!("The message has more than {MAX_LINKS} different links; the others were not looked at.");
            // No letter has so many, but honest tables do.
            let severity = if is_in_file { Severity::Review } else { Severity::Quarantine };
            into.add("link_limit_exceeded", severity, detail, path.to_owned());
            return;
        }
        // What an attached page has as a link, the reader of the file found as an address too.
        let is_known = is_in_file && into.targets.contains(&link.target);
        into.targets.insert(link.target.clone());
        if !is_known && into.seen.insert(link.clone()) {
            into.in_files += usize::from(is_in_file);
            let before = into.found;
            Case { link, path, linked, wraps: 0 }.judge(into);
            into.note_code(link, path, before < into.found);
        }
    }
}

impl Judgement {
    fn add(&mut self, code: &'static str, severity: Severity, detail: impl Into<String>, location: String) {
        let finding = Finding::new(code, severity, detail).at(location);
        self.found += 1;
        let count = self.by_code.entry(code).or_default();
        if *count < MOST_OF_A_CODE && !self.findings.contains(&finding) {
            *count += 1;
            self.findings.push(finding);
        }
    }

    fn remember(&mut self, host: &str, place: Place) {
        let is_followed = place != Place::Resource;
        if host.contains('.') && self.known_hosts.insert((host.to_owned(), is_followed)) {
            let hosts = if is_followed { &mut self.followed_hosts } else { &mut self.other_hosts };
            hosts.push(host.to_owned());
        }
    }

    /// A tag at `location` was not read to its end.
    pub fn unread(&mut self, location: &str) {
        let detail = format!("A tag has more than {MAX_ATTRIBUTES} attributes; the others were not read.");
        self.add("link_limit_exceeded", Severity::Quarantine, detail, location.to_owned());
    }

    /// All findings, and the hosts that links lead to: those that a reader is led to before those of pictures, and no more than
    /// [`MAX_HOSTS`].
    #[must_use]
    pub fn finish(mut self) -> (Vec<Finding>, Vec<String>) {
        self.tell_codes();
        if MAX_HOSTS < self.followed_hosts.len() {
            let detail =
                format!("Links lead to more than {MAX_HOSTS} hosts; the names of the others were not compared.");
            self.add("link_limit_exceeded", Severity::Review, detail, "body".to_owned());
        }
        let mut hosts = self.followed_hosts;
        let known: HashSet<String> = hosts.iter().cloned().collect();
        hosts.extend(self.other_hosts.into_iter().filter(|host| !known.contains(host)));
        hosts.truncate(MAX_HOSTS);
        (self.findings, hosts)
    }
}

impl Case<'_> {
    fn judge(&self, into: &mut Judgement) {
        match Target::parse(&self.link.target) {
            Target::Web(address) => match self.unwrapped(&address) {
                Some(inner) => return Case { link: &inner, wraps: self.wraps + 1, ..*self }.judge(into),
                None => self.web(&address, into),
            },
            Target::Share => self.share(into),
            Target::Other { scheme, rest } => self.other(&scheme, &rest, into),
            Target::Nowhere => {}
        }
        self.form(into);
    }

    /// The link that is meant, where a service that checks links stands before it.
    fn unwrapped(&self, address: &Address) -> Option<Link> {
        if service(address) != Some(Service::Rewriter) || MAX_WRAPS <= self.wraps {
            return None;
        }
        address.wrapped().map(|target| Link { target, ..self.link.clone() })
    }

    fn web(&self, address: &Address, into: &mut Judgement) {
        self.written(address, into);
        match address.ip() {
            Some(ip) => self.ip(ip, address, into),
            None => {
                into.remember(&address.host(), self.link.place);
                self.name(address, into);
            }
        }
        match self.link.place {
            Place::Refresh => {
                let detail = format!("The message leads to {} without a click.", address.host());
                self.add("link_without_click", Severity::Quarantine, detail, into);
            }
            Place::Frame => {
                let detail = format!("The message shows a page of {} within itself.", address.host());
                self.add("frame_in_message", Severity::Review, detail, into);
            }
            _ => {}
        }
        if self.link.place == Place::Anchor {
            self.shown(address, into);
        }
        if self.link.place != Place::Resource {
            self.elsewhere(address, into);
        }
    }

    /// How the address is written.
    fn written(&self, address: &Address, into: &mut Judgement) {
        let host = address.host();
        if let Some(userinfo) = &address.userinfo {
            let is_host = userinfo.contains('.') || userinfo.contains("%2") || userinfo.contains("//");
            let severity = if is_host { Severity::Quarantine } else { Severity::Review };
            let before = mime::shown(userinfo);
            let detail = format!(
                "The link seems to lead to {before}, but what stands before the @ counts for nothing: it leads to {host}."
            );
            self.add("link_userinfo", self.unless_text(severity), detail, into);
        }
        if address.has_invisible() || self.link.target.contains(turns_direction) {
            let detail =
                format!("The address of {host} has characters that nobody sees, or that turn the reading direction.");
            self.add("link_hidden_characters", self.unless_text(Severity::Quarantine), detail, into);
        }
        if address.has_backslash {
            let detail = format!(
                "The address of {host} has backslashes for slashes: browsers open it, many scanners do not see a link."
            );
            self.add("link_backslash", self.unless_text(Severity::Quarantine), detail, into);
        }
        if address.is_disguised_ip() || address.is_disguised_name() {
            let detail =
                format!("The host {} is written so that nobody recognises {host}.", mime::shown(&address.written_host));
            self.add("link_disguised_host", Severity::Quarantine, detail, into);
        }
    }

    fn ip(&self, ip: IpAddr, address: &Address, into: &mut Judgement) {
        if is_private(ip) {
            return;
        }
        let detail = format!("The link leads to {}, a machine without a name.", address.host());
        if self.link.place == Place::Text {
            into.shown_ips.insert(ip);
        }
        // Whoever writes it out in the letter's text hides nothing by it.
        let is_mild = self.link.place == Place::Resource || into.shown_ips.contains(&ip);
        let severity = if is_mild { Severity::Review } else { Severity::Quarantine };
        self.add("link_ip_host", self.unless_text(severity), detail, into);
    }

    fn name(&self, address: &Address, into: &mut Judgement) {
        let host = address.host();
        let is_known = psl::suffix(host.as_bytes()).is_some_and(|suffix| suffix.is_known());
        if !is_known && host.contains('.') && !is_reserved(&host) {
            let detail = format!("The link leads to {host}, whose top-level domain does not exist.");
            self.add("link_unknown_top_level", Severity::Review, detail, into);
        }
        if mixes_scripts(&host) {
            let detail =
                format!("The name {host} mixes letters of several scripts, so that it reads like another name.");
            self.add("link_mixed_scripts", Severity::Quarantine, detail, into);
        }
    }

    /// Where the address leads on to.
    fn elsewhere(&self, address: &Address, into: &mut Judgement) {
        let host = address.host();
        match service(address) {
            Some(Service::Shortener) => {
                let detail = format!("The link is shortened by {host}: where it leads is not to be seen.");
                self.add("link_shortener", Severity::Review, detail, into);
            }
            Some(Service::Redirector { .. }) => {
                let detail = format!("The link leads by way of {host} to wherever its address says.");
                self.add("link_redirector", Severity::Review, detail, into);
            }
            Some(Service::Hosting) => {
                let detail =
                    format!("The link leads to {host}, where anybody can put a page under a name that is not theirs.");
                self.add("link_open_hosting", Severity::Review, detail, into);
            }
            Some(Service::Tracker | Service::Rewriter) | None => {}
        }
        self.embedded(address, into);
    }

    /// Whoever runs the host may lead on to what its address names.
    fn embedded(&self, address: &Address, into: &mut Judgement) {
        let mut next = address.embedded();
        for _ in 0..MAX_WRAPS {
            let Some(target) = next.take() else { return };
            let Target::Web(inner) = Target::parse(&target) else { return };
            let case = Case { link: &Link { target, ..self.link.clone() }, ..*self };
            case.written(&inner, into);
            match inner.ip() {
                Some(ip) => case.ip(ip, &inner, into),
                None => {
                    into.remember(&inner.host(), self.link.place);
                    case.name(&inner, into);
                }
            }
            next = inner.embedded();
        }
    }

    fn form(&self, into: &mut Judgement) {
        let host = match Target::parse(&self.link.target) {
            Target::Web(address) => address.host(),
            Target::Other { .. } | Target::Share | Target::Nowhere => "nowhere that is named".to_owned(),
        };
        match self.link.place {
            Place::Form(Asks::Password) => {
                let detail = format!("The message asks for a password and sends it to {host}.");
                self.add("credential_form", Severity::Quarantine, detail, into);
            }
            Place::Form(Asks::Text) => {
                let detail = format!("The message has a form that sends what is typed into it to {host}.");
                self.add("form_in_message", Severity::Review, detail, into);
            }
            _ => {}
        }
    }

    /// What stands in a plain text is often written about, and is not always a link.
    fn unless_text(&self, severity: Severity) -> Severity {
        if self.link.place == Place::Text { severity.min(Severity::Review) } else { severity }
    }

    fn add(&self, code: &'static str, severity: Severity, detail: impl Into<String>, into: &mut Judgement) {
        let location = format!("{} {}", self.path, mime::shown(&self.link.target));
        into.add(code, severity, detail, location.trim_end().to_owned());
    }
}

/// Labels of a name whose letters are of scripts that no language mixes (UTS 39 §5.1).
fn mixes_scripts(host: &str) -> bool {
    use unicode_security::MixedScript;
    let (unicode, decoded) = idna::domain_to_unicode(host);
    decoded.is_ok() && host.contains("xn--") && unicode.split('.').any(|label| !label.is_single_script())
}

/// Loopback, private and link-local networks: nobody outside can be reached there.
fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_unspecified(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unspecified() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// Overrides and embeddings; the marks of right-to-left scripts are ordinary in their texts.
fn turns_direction(character: char) -> bool {
    matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
