use super::*;
use crate::{domain_list::DomainList as List, reply_to::mailboxes};

const PROTECTED: [&str; 4] = ["fabrikam.example", "paypal.com", "apple.com", "ing.nl"];

fn names() -> Names {
    Names::new(&PROTECTED.map(str::to_owned))
}

fn author_of(name: &str, domain: &str) -> Author {
    let display_name = (!name.is_empty()).then(|| name.to_owned());
    Author { display_name, local_part: "ann".to_owned(), domain: domain.to_owned() }
}

/// Separated by bars.
fn replies(written: Option<&str>) -> Vec<ReplyTo> {
    written.into_iter().flat_map(|written| written.split('|')).flat_map(|one| mailboxes(one.as_bytes())).collect()
}

fn codes(name: &str, domain: &str, reply_to: Option<&str>, proof: Proof) -> Vec<String> {
    let (author, reply_to) = (author_of(name, domain), replies(reply_to));
    let sender = Sender { author: &author, reply_to: &reply_to, proof, is_from_list: false };
    let findings = names().of_sender(sender, &List::embedded());
    findings.iter().map(|finding| format!("{} {}", finding.severity.as_str(), finding.code)).collect()
}

#[test]
fn a_sender_who_is_who_it_says_has_no_finding() {
    for (name, domain, reply_to) in [
        ("PayPal", "paypal.com", None),
        ("PayPal Service", "mail.paypal.com", Some("x@paypal.com")),
        ("PayPal", "paypal.de", None),
        ("Ann Applegate", "contoso.example", None),
        ("ING Ann", "contoso.example", None),
        ("Ann Lee", "gmail.com", Some("x@gmail.com")),
        ("Ann Lee", "gmail.com", Some("x@yahoo.com")),
        ("Ann Lee", "news.contoso.example", Some("x@contoso.example")),
        ("Ann Lee", "alerts.contoso.example", Some("x@talk2.contoso.example")),
        ("Ann Lee", "alerts.contoso.co.uk", Some("x@talk2.contoso.co.uk")),
        ("Ann Lee", "contoso.example", Some("x@helpdesk.example")),
        ("Contoso Reports for Netflix", "contoso.example", None),
        ("Amazon Web Services", "amazonaws.com", None),
        ("Oracle Farm Shop", "contoso.example", None),
        ("PayPal", "paypal.com", Some("PayPal Support <x@contoso.example>")),
        ("Ann Lee", "contoso.example", Some("Help desk <x@helpdesk.example>")),
    ] {
        assert_eq!(codes(name, domain, reply_to, Proof::Nobody), [""; 0], "{name} {domain} {reply_to:?}");
    }
}

#[test]
fn a_sender_who_pretends_to_be_another_is_found() {
    use Proof::{Aligned, Dmarc, Nobody};
    for (name, domain, reply_to, proof, expected) in [
        ("", "paypa1.com", None, Dmarc, "quarantine author_look_alike"),
        ("", "xn--pypal-4ve.com", None, Nobody, "quarantine author_look_alike"),
        ("", "fabrikan.example", None, Nobody, "quarantine author_look_alike"),
        ("PayPal Service", "contoso.example", None, Nobody, "quarantine display_name_claims_brand"),
        ("PayPal Service", "contoso.example", None, Dmarc, "review display_name_claims_brand"),
        ("Your \u{440}aypal account", "contoso.example", None, Nobody, "quarantine display_name_claims_brand"),
        ("PayPal Service", "contoso.example", None, Aligned, "quarantine display_name_claims_brand"),
        ("PayPal", "paypal.example", None, Aligned, "quarantine display_name_claims_brand"),
        ("Jane PayPal", "contoso.example", None, Nobody, "review display_name_claims_brand"),
        ("PayPal Report | Contoso", "contoso.example", None, Nobody, "review display_name_claims_brand"),
        ("PayPa1 Service", "contoso.example", None, Dmarc, "quarantine display_name_claims_brand"),
        ("P a y P a l", "contoso.example", None, Dmarc, "quarantine display_name_claims_brand"),
        ("Netflix", "contoso.example", None, Nobody, "quarantine display_name_claims_brand"),
        ("Netflix", "contoso.example", None, Aligned, "review display_name_claims_brand"),
        ("Chase Alerts", "contoso.example", None, Nobody, "review display_name_claims_brand"),
        ("", "paypal.com.contoso.example", None, Dmarc, "quarantine author_look_alike"),
        ("", "paypal-login.example", None, Dmarc, "quarantine author_look_alike"),
        ("", "amazon-tips.example", None, Nobody, "review author_look_alike"),
        ("", "amazon.contoso.example", None, Nobody, "review author_look_alike"),
        ("", "contoso.example", Some("x@paypal.com.other.example"), Nobody, "quarantine reply_to_look_alike"),
        ("", "contoso.example", Some("x@amazon-tips.example"), Nobody, "review reply_to_look_alike"),
        ("", "contoso.example", Some("PayPal <x@other.example>"), Nobody, "quarantine display_name_claims_brand"),
        (
            "",
            "contoso.example",
            Some("\"ann@contoso.example\" <x@other.example>"),
            Nobody,
            "quarantine display_name_shows_other_address",
        ),
        ("", "fabrikam.example", Some("x@fabrikan.example"), Dmarc, "quarantine reply_to_look_alike"),
        ("", "contoso.example", Some("x@contosso.example"), Dmarc, "quarantine reply_to_look_alike"),
        ("", "contoso.co.uk", Some("x@contosso.co.uk"), Dmarc, "quarantine reply_to_look_alike"),
        ("", "contoso.example", Some("x@gmail.com"), Dmarc, "review reply_to_free_mail"),
        ("", "contoso.example", Some("x@contoso.example|x@contosso.example"), Dmarc, "quarantine reply_to_look_alike"),
        ("", "contoso.example", Some("x@contoso.example|x@gmail.com"), Dmarc, "review reply_to_free_mail"),
    ] {
        assert_eq!(codes(name, domain, reply_to, proof), [expected], "{name} {domain} {reply_to:?}");
    }
}

#[test]
fn a_list_may_write_for_others_and_lead_replies_to_them() {
    let (author, reply_to) = (author_of("Ann Lee", "round.example"), replies(Some("x@gmail.com")));
    let told = |is_from_list| {
        let sender = Sender { author: &author, reply_to: &reply_to, proof: Proof::Nobody, is_from_list };
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
        ("netflix.contoso.example", None),
        ("oracle-trees.example", None),
        ("gitlab.contoso.example", None),
        ("paypal.contoso.example", Some(Severity::Review)),
        ("secure-paypal-login.example", Some(Severity::Quarantine)),
        ("paypa1-help.example", Some(Severity::Quarantine)),
        ("www.netflix.com.account-verify.example", Some(Severity::Quarantine)),
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
