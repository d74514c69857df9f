//! What comes of answers of DNS, and how long it is remembered: [`Dns`] against name servers on loopback.

use std::{net::SocketAddr, time::Duration};

use gatepost::{
    address::Domain,
    io::dns::{Dns, NameServer as Server, NameServers},
    mail_hosts::{Hosts, MailHosts},
};
use gatepost_local::name_server::NameServer;
use tokio::{net::UdpSocket, time::sleep};

/// A stalled machine is no reason to call DNS unanswered.
const PATIENCE: Duration = Duration::from_secs(10);

fn dns(server: SocketAddr, timeout: Duration) -> Dns {
    Dns::new(Server::At(server), timeout).expect("a resolver")
}

async fn hosts(dns: &Dns, domain: &str) -> Hosts {
    dns.hosts(&Domain::parse(domain).expect(domain), NameServers::Wanted).await
}

#[tokio::test]
async fn a_huge_answer_is_cut_and_asked_for_once() {
    let mut zone: String =
        (0..1_400).map(|n| format!("huge.example. 300 IN MX {n} m{n:04}.huge.example.\n")).rev().collect();
    zone.extend((0..40).map(|n| format!("huge.example. 300 IN NS ns{n:02}.huge.example.\n")));
    zone.extend((0..40).map(|n| format!("m0000.huge.example. 300 IN A 192.0.2.{n}\n")));
    zone.extend((0..40).map(|n| format!("implicit.huge.example. 300 IN A 192.0.2.{n}\n")));
    let server = NameServer::start(&zone, &[]).await.expect("the zone is served");
    let dns = dns(server.address(), PATIENCE);
    let found = hosts(&dns, "huge.example").await;
    let mx: Vec<String> = (0..20).map(|n| format!("m{n:04}.huge.example")).collect();
    assert_eq!((found.mail.mx(), found.name_servers.len()), (mx.iter().map(String::as_str).collect(), 8));
    let known = found.mail.hosts().iter().map(|host| host.addresses.as_ref().map(Vec::len));
    assert_eq!(known.take(4).collect::<Vec<_>>(), [Some(8), Some(0), Some(0), None]);
    let implicit = hosts(&dns, "implicit.huge.example").await;
    assert!(matches!(&implicit.mail, MailHosts::Implicit(addresses) if addresses.len() == 8), "{implicit:?}");
    drop(server);
    assert_eq!((hosts(&dns, "huge.example").await, hosts(&dns, "implicit.huge.example").await), (found, implicit));
}

#[tokio::test]
async fn an_answer_is_remembered_as_long_as_its_shortest_ttl_and_a_failure_not_at_all() {
    let zone = "\
long.example. 300 IN MX 10 mx.long.example.
mx.long.example. 300 IN A 192.0.2.1
short.example. 300 IN MX 10 mx.short.example.
mx.short.example. 1 IN A 192.0.2.1
null.example. 0 IN MX 0 .
broken.example. 300 IN MX 10 mx.long.example.
;behaviour broken.example. MX servfail
";
    let server = NameServer::start(zone, &[]).await.expect("the zone is served");
    let address = server.address();
    // Nobody answers in the end.
    let dns = dns(address, Duration::from_secs(2));
    let statuses = async || {
        let names = ["long.example", "short.example", "null.example", "broken.example", "missing.example"];
        futures_util::future::join_all(names.map(|name| async { hosts(&dns, name).await.mail.status() })).await
    };
    assert_eq!(statuses().await, ["ok", "ok", "null_mx", "temperror", "nxdomain"]);
    drop(server);
    sleep(Duration::from_millis(1_100)).await;
    assert_eq!(statuses().await, ["ok", "temperror", "temperror", "temperror", "nxdomain"]);
}

#[tokio::test]
async fn that_dns_knows_no_address_of_a_mail_host_is_not_that_it_does_not_answer() {
    let zone = "\
gone.example. IN MX 10 missing.example.
gone.example. IN MX 20 empty.example.
empty.example. IN TXT \"no address\"
text.example. IN MX 10 192.0.2.1.
silent.example. IN MX 10 mx.silent.example.
;behaviour mx.silent.example. * servfail
half.example. IN MX 10 missing.example.
half.example. IN MX 20 mx.half.example.
mx.half.example. IN AAAA 2001:db8::1
many.example. IN MX 1 missing1.example.
many.example. IN MX 2 missing2.example.
many.example. IN MX 3 missing3.example.
many.example. IN MX 4 mx.half.example.
";
    let server = NameServer::start(zone, &[]).await.expect("the zone is served");
    let dns = dns(server.address(), PATIENCE);
    for (domain, is_unresolvable) in [
        ("gone.example", true),
        ("text.example", true),
        ("silent.example", false),
        ("half.example", false),
        ("many.example", false),
    ] {
        let found = hosts(&dns, domain).await;
        assert_eq!((found.mail.status(), found.mail.is_unresolvable()), ("ok", is_unresolvable), "{found:?}");
    }
}

#[tokio::test]
async fn a_null_mx_counts_when_nothing_stands_beside_it() {
    let zone = "\
null.example. IN MX 0 .
twice.example. IN MX 0 .
twice.example. IN MX 10 .
beside.example. IN MX 0 .
beside.example. IN MX 10 mx.beside.example.
mx.beside.example. IN A 192.0.2.1
";
    let server = NameServer::start(zone, &[]).await.expect("the zone is served");
    let dns = dns(server.address(), PATIENCE);
    for (domain, status, mx) in [
        ("null.example", "null_mx", &[][..]),
        ("twice.example", "null_mx", &[]),
        ("beside.example", "ok", &["mx.beside.example"]),
    ] {
        let found = hosts(&dns, domain).await.mail;
        assert_eq!((found.status(), found.mx()), (status, mx.to_vec()), "{domain}");
    }
}

/// Answers every question with one alias: of `a` to `b`, and of all others to `a`.
async fn circular_server() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    let address = socket.local_addr().expect("bound");
    tokio::spawn(async move {
        let mut packet = [0; 512];
        while let Ok((length, client)) = socket.recv_from(&mut packet).await {
            let query = &packet[..length];
            let end = 12 + query[12..].iter().position(|octet| *octet == 0).expect("the root") + 5;
            let target: &[u8] = if query[13] == b'a' { b"\x01b\x07example\0" } else { b"\x01a\x07example\0" };
            let header = [query[0], query[1], 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0];
            let alias = [0xc0, 12, 0, 5, 0, 1, 0, 0, 1, 44, 0, 11];
            let answer = [&header, &query[12..end], &alias, target].concat();
            socket.send_to(&answer, client).await.expect("sent");
        }
    });
    address
}

#[tokio::test]
async fn aliases_that_go_round_in_circles_are_a_failure_and_not_a_domain_without_mail() {
    let own = NameServer::start("a.example. IN CNAME b.example.\nb.example. IN CNAME a.example.\n", &[]).await;
    let own = own.expect("the zone is served");
    for server in [own.address(), circular_server().await] {
        let dns = dns(server, PATIENCE);
        assert_eq!(hosts(&dns, "a.example").await.mail, MailHosts::TempError);
    }
}
