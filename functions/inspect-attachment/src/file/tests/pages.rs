//! HTML pages and SVG drawings.

use super::{ADDRESS, all, build::*, links, strict};

#[test]
fn a_page_that_builds_a_file_is_found() {
    let payload = "QUJD".repeat(100);
    let wide = |page: &str| {
        [0xff, 0xfe].into_iter().chain(page.encode_utf16().flat_map(u16::to_le_bytes)).collect::<Vec<u8>>()
    };
    for page in [
        format!(
            "<html><script>var b=atob('{payload}');var u=URL.createObjectURL(new Blob([b]));a.download='x.iso';a.click()</script>"
        ),
        "<body><script>let d=new Uint8Array([77,90]); f=new File([d],'x'); l.href = window.URL . createObjectURL(f); l.download = 'a'</script>".to_owned(),
        format!("<a href='data:application/zip;base64,{payload}' download='a.zip'>open</a>"),
        format!("<svg xmlns='http://www.w3.org/2000/svg' onload=\"b=new Blob([atob('{payload}')]);a.click()\"/>"),
    ] {
        for (name, content) in [("a.html", page.clone().into_bytes()), ("a.htm", wide(&page))] {
            assert!(strict(name, &content).contains(&"quarantine html_smuggling".to_owned()), "{page}");
        }
    }
}

#[test]
fn a_page_is_judged_by_what_it_does() {
    let hidden = "%3Cform%20".repeat(30);
    for (page, expected) in [
        ("<html><form action=http://192.0.2.7/a><input type=password>", &["quarantine credential_form"][..]),
        ("<p>hello<input name=p TYPE=' Password '>", &["quarantine credential_form"]),
        ("<html><meta http-equiv=refresh content='0; url=http://192.0.2.7/a'>", &["quarantine page_redirect"]),
        ("<META content=\"0,http://192.0.2.7/a\" HTTP-EQUIV=\"Refresh\">", &["quarantine page_redirect"]),
        ("<script>window.location = 'http://192.0.2.7/a'</script>", &["quarantine page_redirect"]),
        ("<body onload=\"location.replace('http://192.0.2.7/a')\">", &["quarantine page_redirect"]),
        ("<script>eval(atob('YWxlcnQoMSk='))</script>", &["quarantine obfuscated_script"]),
        (&format!("<script>document.write(unescape('{hidden}'))</script>"), &["quarantine obfuscated_script"]),
        ("<script>if (location.hash == '#a') alert(1)</script>", &[]),
        ("<html><meta http-equiv=refresh content=300>", &[]),
        ("<script type='application/ld+json'>{\"url\": \"https://example.com\"}</script>", &[]),
        ("<html><form action=/search><input type=text>", &[]),
    ] {
        assert_eq!(strict("a.html", page.as_bytes()), expected, "{page}");
    }
    assert_eq!(all("a.html", b"<html><script>alert(1)</script>"), ["review html_script"]);
    assert_eq!(all("a.html", b"<html><p onclick='f()'>"), ["review html_script"]);
}

#[test]
fn a_drawing_with_a_script_is_kept_back() {
    for drawing in [
        "<svg><script>alert(1)</script></svg>",
        "<?xml version='1.0'?><svg onload='alert(1)'/>",
        "<svg><a xlink:href='java&#115;cript:alert(1)'/></svg>",
        "<svg><foreignObject><iframe srcdoc='<script>alert(1)</script>'/></foreignObject></svg>",
    ] {
        let found = strict("a.svg", drawing.as_bytes());
        assert!(found == ["quarantine svg_script"] || drawing.contains("srcdoc"), "{drawing}: {found:?}");
        assert!(!all("a.zip", &zip(&[("logo.svg", drawing.as_bytes())])).is_empty(), "{drawing}");
    }
}

#[test]
fn addresses_of_a_page_are_handed_on() {
    let page = format!(
        "<html><a href='{ADDRESS}'>x</a><form action=\" htt\np://192.0.2.7/b\"><a href='#top'><meta http-equiv=refresh content='1;URL=http://192.0.2.7/c'>"
    );
    assert_eq!(links("a.html", page.as_bytes()), [ADDRESS, "http://192.0.2.7/b", "http://192.0.2.7/c"]);
}

#[test]
fn frames_in_frames_have_an_end() {
    let frames = format!("<html>{}", "<a/srcdoc=".repeat(200));
    assert_eq!(strict("a.html", frames.as_bytes()), ["quarantine archive_limit_exceeded"]);
    assert_eq!(strict("a.html", b"<html><iframe srcdoc='<p>hello</p>'></iframe>"), [""; 0]);
}
