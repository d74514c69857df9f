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
    assert_eq!(links("a.html", page.as_bytes()), [ADDRESS, "http://192.0.2.7/c", "#top", "htt\np://192.0.2.7/b"]);
}

#[test]
fn frames_in_frames_have_an_end() {
    let framed =
        |page: &str| format!("<iframe srcdoc='{}'></iframe>", page.replace('&', "&amp;").replace('\'', "&#39;"));
    let frames = |levels| (0..levels).fold("<p>hello".to_owned(), |page, _| framed(&page));
    assert_eq!(strict("a.html", frames(9).as_bytes()), ["quarantine archive_limit_exceeded"]);
    assert_eq!(strict("a.html", frames(1).as_bytes()), [""; 0]);
}

/// Leads away as soon as it runs.
const SCRIPT: &str = "<script>location='http://192.0.2.7/a'</script>";

#[test]
fn a_script_runs_wherever_a_browser_finds_one() {
    let many = "a ".repeat(150);
    for page in [
        format!("<svg><style/>{SCRIPT}"),
        format!("<svg><style>{SCRIPT}</style></svg>"),
        format!("<svg><title/>{SCRIPT}"),
        format!("<math><style>{SCRIPT}</style></math>"),
        format!("<svg><plaintext>{SCRIPT}"),
        format!("<svg><style><img title=\"</style><b title='\">{SCRIPT}<b title='>"),
        format!("<select><style>{SCRIPT}</style></select>"),
        format!("<noscript><p title='</noscript>{SCRIPT}'>"),
        format!("<template>{SCRIPT}</template>"),
        format!("<!-->{SCRIPT}-->"),
        format!("<!--->{SCRIPT}-->"),
        format!("<!-- a --!>{SCRIPT}"),
        format!("</p a='><b c=\"'>{SCRIPT}<b d=\">"),
        "<script a:type=json>location='http://192.0.2.7/a'</script>".to_owned(),
        "<script>/*<!--<script></script>*/location='http://192.0.2.7/a'</script>".to_owned(),
        format!("<body {many} onload=\"location='http://192.0.2.7/a'\">"),
        format!("<svg><script>{}</script></svg>", "location&#61;'http://192.0.2.7/a'"),
    ] {
        let page = format!("<!DOCTYPE html><html>{page}");
        assert_eq!(strict("a.html", page.as_bytes()), ["quarantine page_redirect"], "{page}");
    }
    for page in [
        format!("<style>{SCRIPT}</style>"),
        format!("<textarea>{SCRIPT}</textarea>"),
        format!("<!-- {SCRIPT} -->"),
        format!("<p title=\"{}\">", SCRIPT.replace('\'', "&#39;")),
        "<script type='application/json'>location='http://192.0.2.7/a'</script>".to_owned(),
    ] {
        let page = format!("<!DOCTYPE html><html>{page}");
        assert_eq!(all("a.html", page.as_bytes()), [""; 0], "{page}");
    }
}

#[test]
fn a_tag_with_more_attributes_than_are_read_is_kept_back() {
    let page = format!("<html><body {} onload=f()>", "a ".repeat(1_001));
    assert_eq!(strict("a.html", page.as_bytes()), ["quarantine archive_limit_exceeded"]);
}

#[test]
fn a_document_of_xml_that_runs_a_script_is_found() {
    let svg = "http://www.w3.org/2000/svg";
    for drawing in [
        format!("<d:svg xmlns:d='{svg}'><d:script>alert(1)</d:script></d:svg>"),
        format!("<!DOCTYPE svg [<!ENTITY a '&#60;script>alert(1)&#60;/script>'>]><svg xmlns='{svg}'>&a;</svg>"),
        format!("<!DOCTYPE svg [<!ENTITY a 'javascript:alert(1)'>]><svg xmlns='{svg}'><a href='&a;'/></svg>"),
        format!("<!DOCTYPE svg [<!ENTITY a '><b c=\"'>]><svg xmlns='{svg}'><script>alert(1)</script></svg>"),
        format!("<svg xmlns='{svg}'><a><animate attributeName='href' values='#;javascript:alert(1)'/></a></svg>"),
        format!("<?a ><b c=\"?><svg xmlns='{svg}'><script><![CDATA[alert(1)]]></script></svg>"),
    ] {
        assert_eq!(strict("a.svg", drawing.as_bytes()), ["quarantine svg_script"], "{drawing}");
    }
    for (name, document) in [
        (
            "a.xml",
            format!(
                "<a xmlns:h='http://www.w3.org/1999/xhtml'><h:p>{}</h:p></a>",
                SCRIPT.replace("script>", "h:script>")
            ),
        ),
        ("a.xhtml", format!("<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'><style/>{SCRIPT}</html>")),
        ("a.xsl", format!("<x:stylesheet xmlns:x='http://www.w3.org/1999/XSL/Transform'>{SCRIPT}</x:stylesheet>")),
    ] {
        assert_eq!(strict(name, document.as_bytes()), ["quarantine page_redirect"], "{document}");
    }
    let data = format!("<build xmlns='urn:example'><script>location='{ADDRESS}'</script></build>");
    assert_eq!(all("a.xml", data.as_bytes()), [""; 0]);
}

#[test]
fn what_is_named_a_page_is_read_as_one_whatever_it_begins_with() {
    for content in [
        format!("BEGIN:VCALENDAR\r\n{SCRIPT}"),
        format!("<?xml version='1.0'?><?mso-application progid='Word.Document'?><a>{SCRIPT}</a>"),
        format!("GIF89a{SCRIPT}"),
    ] {
        assert_eq!(strict("a.html", content.as_bytes()), ["quarantine page_redirect"], "{content}");
    }
}

#[test]
fn a_page_within_a_page_is_opened() {
    let page = format!("<html><iframe src='data:text/html,{}'></iframe>", SCRIPT.replace('\'', "%27"));
    let coded = "<html><a href='data:text/html;base64,PHNjcmlwdD5sb2NhdGlvbj0nL2EnPC9zY3JpcHQ+'>open</a>";
    for page in [page.as_str(), coded] {
        assert_eq!(strict("a.zip", &zip(&[("a.html", page.as_bytes())])), ["quarantine page_redirect"], "{page}");
    }
    let picture = "<html><img src='data:image/svg+xml,<svg><script>alert(1)</script></svg>'>";
    assert_eq!(all("a.html", picture.as_bytes()), [""; 0]);
}

#[test]
fn a_script_behind_more_entities_than_are_replaced_is_told() {
    let deep: String = (0..5).map(|n| format!("<!ENTITY a{n} '&a{};'>", n + 1)).collect();
    let drawing = format!(
        "<!DOCTYPE svg [{deep}<!ENTITY a5 '&#60;script>f()&#60;/script>'>]><svg xmlns='http://www.w3.org/2000/svg'>&a0;</svg>"
    );
    assert_eq!(strict("a.svg", drawing.as_bytes()), ["quarantine archive_limit_exceeded"]);
}
