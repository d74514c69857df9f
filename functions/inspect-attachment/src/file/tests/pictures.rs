//! Pictures and the codes in them.

use gif::{Encoder, Frame};

use super::{
    all,
    build::{pdf, stream, zlib},
    inspected, links,
};
use crate::file::{File, Role, budget::Budget, inspect_file};

/// A code of 25 modules a side (version 2, level L), each row with its first module in the lowest bit.
const CODE: [u32; 25] = [
    0x1fd4f7f, 0x1056941, 0x174e25d, 0x174685d, 0x174795d, 0x1044741, 0x1fd557f, 0x000c300, 0x19e9b67, 0x1ade126,
    0x170ee5e, 0x029048d, 0x10d9e7a, 0x18f9d0a, 0x167eadf, 0x03e5eb0, 0x09f127f, 0x1112d00, 0x1152e7f, 0x191d341,
    0x09f9e5d, 0x0d3de5d, 0x1bb7b5d, 0x01b9341, 0x125157f,
];

/// Where it leads.
const TARGET: &str = "https://elsewhere.example/a";

/// Whether there is a dark module at this place, in modules from the corner of the quiet zone.
fn is_dark(x: f64, y: f64) -> bool {
    let module = |place: f64| usize::try_from((place - 4.0).floor() as i64).unwrap_or(usize::MAX);
    CODE.get(module(y)).is_some_and(|row| module(x) < CODE.len() && row >> module(x) & 1 == 1)
}

/// A PNG file of such points; `colour` is the type of PNG (0 grey, 2 colours, 3 palette, 4 grey and alpha, 6 colours and alpha).
fn png(side: usize, bits: u8, colour: u8, row: impl Fn(usize) -> Vec<u8>) -> Vec<u8> {
    let rows: Vec<u8> = (0..side).flat_map(|y| [vec![0], row(y)].concat()).collect();
    let side = u32::try_from(side).expect("small").to_be_bytes();
    let chunk = |kind: &[u8], octets: &[u8]| {
        let length = u32::try_from(octets.len()).expect("small").to_be_bytes();
        [&length[..], kind, octets, &[0; 4]].concat()
    };
    let header = chunk(b"IHDR", &[&side[..], &side, &[bits, colour, 0, 0, 0]].concat());
    let palette = if colour == 3 { chunk(b"PLTE", &[0, 30, 90, 250, 240, 230]) } else { Vec::new() };
    [&b"\x89PNG\r\n\x1a\n"[..], &header, &palette, &chunk(b"IDAT", &zlib(&rows)), &chunk(b"IEND", b"")].concat()
}

/// In grey, one octet a point.
fn grey(side: usize, light: impl Fn(f64, f64) -> u8) -> Vec<u8> {
    png(side, 8, 0, |y| (0..side).map(|x| light(x as f64 + 0.5, y as f64 + 0.5)).collect())
}

fn ink(is_dark: bool) -> u8 {
    if is_dark { 20 } else { 235 }
}

#[test]
fn a_code_is_read_however_it_stands() {
    let scaled = |by: f64| move |x: f64, y: f64| ink(is_dark(x / by, y / by));
    let (sin, cos) = 0.5_f64.sin_cos();
    for (what, picture) in [
        ("a point for a module", grey(33, scaled(1.0))),
        ("two and a half", grey(83, scaled(2.5))),
        ("large", grey(990, scaled(30.0))),
        ("light on dark", grey(132, |x, y| ink(!is_dark(x / 4.0, y / 4.0)))),
        ("upside down", grey(132, |x, y| ink(is_dark(33.0 - x / 4.0, 33.0 - y / 4.0)))),
        ("seen in a mirror", grey(132, |x, y| ink(is_dark(33.0 - x / 4.0, y / 4.0)))),
        (
            "aslant",
            grey(300, |x, y| {
                let (x, y) = ((x - 150.0) / 5.0, (y - 150.0) / 5.0);
                ink(is_dark(x * cos - y * sin + 16.5, x * sin + y * cos + 16.5))
            }),
        ),
        (
            "from a side",
            grey(300, |x, y| {
                let depth = 1.0 + y / 1200.0;
                ink(is_dark(x * depth / 8.0, y * depth / 8.0))
            }),
        ),
        (
            "in uneven light",
            grey(264, |x, y| {
                let light = if is_dark(x / 8.0, y / 8.0) { 40.0 } else { 130.0 };
                (light + x / 264.0 * 110.0) as u8
            }),
        ),
        ("in the corner of a page", grey(1_200, |x, y| ink(is_dark((x - 900.0) / 4.0, (y - 1_000.0) / 4.0)))),
    ] {
        assert_eq!(links("a.png", &picture), [TARGET], "{what}");
    }
}

#[test]
fn a_code_is_read_however_its_points_are_packed() {
    let dark = |x: usize, y: usize| is_dark(x as f64 / 4.0, y as f64 / 4.0);
    let octets = |of: fn(bool) -> Vec<u8>| move |y: usize| (0..132).flat_map(|x| of(dark(x, y))).collect::<Vec<u8>>();
    let bits = |y: usize| {
        let octet = |start: usize| (start..start + 8).fold(0, |octet, x| octet << 1 | u8::from(!dark(x, y)));
        (0..136).step_by(8).map(octet).collect::<Vec<u8>>()
    };
    for (what, picture) in [
        ("a bit", png(132, 1, 0, bits)),
        ("a number of a palette", png(132, 1, 3, bits)),
        ("16 bits", png(132, 16, 0, octets(|dark| vec![ink(dark), 7]))),
        ("colours", png(132, 8, 2, octets(|dark| if dark { vec![90, 10, 120] } else { vec![250, 220, 90] }))),
        ("dark on whatever is behind", png(132, 8, 4, octets(|dark| vec![0, if dark { 255 } else { 0 }]))),
        ("light on whatever is behind", png(132, 8, 6, octets(|dark| vec![255, 255, 255, if dark { 0 } else { 255 }]))),
    ] {
        assert_eq!(links("a.png", &picture), [TARGET], "{what}");
        // What is missing at the end is the quiet zone.
        let shorter = &picture[..picture.len() - 24];
        assert_eq!(links("a.png", shorter), [TARGET], "{what}, cut off");
    }
}

#[test]
fn a_picture_is_known_by_its_octets_and_its_code_by_its_place() {
    let picture = grey(132, |x, y| ink(is_dark(x / 4.0, y / 4.0)));
    for name in ["a.png", "a.dat", ""] {
        let found = inspected(name, &picture);
        let places: Vec<&str> = found.links.iter().map(|found| found.location.as_str()).collect();
        assert_eq!(places, ["2 (QR code)"], "{name}");
    }
}

/// PNG, JPEG, GIF and a bitmap that claim to be larger than anybody's memory.
#[test]
fn a_picture_over_the_limit_is_told_and_not_unpacked() {
    let mut png = png(10, 1, 0, |_| vec![0; 2]);
    png[16..24].copy_from_slice(&[0, 0, 0xc3, 0x50, 0, 0, 0xc3, 0x50]);
    let jpeg = b"\xff\xd8\xff\xc0\0\x0b\x08\xff\xdc\xff\xdc\x01\x01\x11\0\xff\xda\0\x08\x01\x01\0\0\x3f\0\0\0\xff\xd9";
    let gif = b"GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\x02\x02\x44\x01\0;";
    let mut bitmap = [&b"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0"[..], &[0; 36]].concat();
    bitmap[18..30].copy_from_slice(&[0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 0x7f, 1, 0, 24, 0]);
    for (what, picture) in [("PNG", &png[..]), ("JPEG", jpeg), ("GIF", gif), ("bitmap", &bitmap)] {
        let found = inspected("", picture).findings;
        let found: Vec<_> = found.iter().map(|finding| (finding.code.as_ref(), finding.detail.as_str())).collect();
        let detail = "the picture has more than 16 million points, so codes in it may be missed";
        assert_eq!(found, [("picture_limit_exceeded", detail)], "{what}");
    }
}

#[test]
fn the_points_of_all_pictures_together_are_limited() {
    let white = png(4_096, 1, 0, |_| vec![0xff; 512]);
    let mut budget = Budget::default();
    let look = |budget: &mut Budget| {
        let file = File { location: "2", names: &[], declared: "", content: &white, role: Role::Attachment };
        inspect_file(&file, budget).findings.into_iter().map(|finding| finding.detail).collect::<Vec<_>>()
    };
    let told = "the picture and those before it have more than 40 million points, so codes in it may be missed";
    assert_eq!([look(&mut budget), look(&mut budget), look(&mut budget)], [vec![], vec![], vec![told.to_owned()]]);
}

/// Of frames that differ in one point.
fn animation(frames: usize, stays: impl Fn(usize) -> u16, light: impl Fn(usize, usize) -> u8) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, 132, 132, &[20, 20, 20, 235, 235, 235]).expect("a header");
    for number in 0..frames {
        let pixels: Vec<u8> = (0..132 * 132).map(|at| light(number, at)).collect();
        let frame = Frame { width: 132, height: 132, delay: stays(number), buffer: pixels.into(), ..Frame::default() };
        encoder.write_frame(&frame).expect("memory takes it");
    }
    drop(encoder);
    file
}

#[test]
fn an_animation_shows_its_code_when_it_stays() {
    let code = |at: usize| u8::from(!is_dark((at % 132) as f64 / 4.0, (at / 132) as f64 / 4.0));
    let at_once = animation(1, |_| 0, |_, at| code(at));
    let in_the_middle =
        animation(5, |frame| if frame == 2 { 500 } else { 1 }, |frame, at| if frame == 2 { code(at) } else { 1 });
    let at_last = animation(20, |_| 1, |frame, at| if frame == 19 { code(at) } else { 1 });
    for file in [at_once, in_the_middle, at_last] {
        assert_eq!((links("a.gif", &file), all("a.gif", &file)), (vec![TARGET.to_owned()], vec![]));
    }
    let endless = animation(2_000, |_| 1, |_, _| 1);
    assert_eq!(all("a.gif", &endless), ["info picture_limit_exceeded"]);
}

#[test]
fn a_code_in_a_pdf_file_is_read_however_its_samples_are_packed() {
    let dark = |x: usize, y: usize| is_dark(x as f64 / 4.0, y as f64 / 4.0);
    let points = |of: fn(bool) -> Vec<u8>| -> Vec<u8> {
        (0..132).flat_map(|y| (0..132).flat_map(move |x| of(dark(x, y)))).collect()
    };
    let bits = |y: usize| {
        (0..136).step_by(8).map(move |at| (at..at + 8).fold(0, |octet, x| octet << 1 | u8::from(dark(x, y))))
    };
    let bits: Vec<u8> = (0..132).flat_map(bits).collect();
    for (what, samples) in [
        ("/BitsPerComponent 8/ColorSpace/DeviceGray", points(|dark| vec![ink(dark)])),
        ("/BPC 8/CS/RGB", points(|dark| if dark { vec![90, 10, 120] } else { vec![250, 220, 90] })),
        ("/BitsPerComponent 8/ColorSpace/DeviceCMYK", points(|dark| vec![0, 0, 20, if dark { 230 } else { 0 }])),
        ("/BitsPerComponent 16/ColorSpace[/ICCBased 9 0 R]", points(|dark| vec![ink(dark), 9])),
        ("/ImageMask true/BitsPerComponent 1", bits.clone()),
        ("/BitsPerComponent 1/ColorSpace[/Indexed/DeviceRGB 1 2 0 R]", bits),
    ] {
        let picture = stream(&format!("/Subtype/Image/Width 132/Height 132/Filter/FlateDecode{what}"), &zlib(&samples));
        let file = pdf(&[&picture, b"<fff0f0201040>"]);
        assert_eq!(links("a.pdf", &file), [TARGET], "{what}");
    }
}

/// What is not looked at for codes hides nothing else.
#[test]
fn a_picture_over_the_limit_ends_nothing_but_itself() {
    let large = stream("/Subtype/Image/Width 50000/Height 50000/BitsPerComponent 1/Filter/FlateDecode", &zlib(b"a"));
    let script = b"<</Type/Catalog/OpenAction<</S/JavaScript/JS(x())>>>>";
    let found = all("a.pdf", &pdf(&[&large, script]));
    assert_eq!(found, ["quarantine pdf_script", "review picture_limit_exceeded"]);
}

/// Lines of characters that draw two rows of modules each.
fn half_blocks(end: &str) -> String {
    let character = |x: usize, y: usize| match [y, y + 1].map(|y| is_dark(x as f64, y as f64)) {
        [true, true] => '\u{2588}',
        [true, false] => '\u{2580}',
        [false, true] => '\u{2584}',
        [false, false] => '\u{a0}',
    };
    (0..33).step_by(2).map(|y| (0..33).map(|x| character(x, y)).collect::<String>() + end).collect()
}

fn cells(cell: impl Fn(bool) -> &'static str, end: &str) -> String {
    (0..33).map(|y| (0..33).map(|x| cell(is_dark(f64::from(x), f64::from(y)))).collect::<String>() + end).collect()
}

#[test]
fn a_code_that_a_text_or_a_table_draws_is_read() {
    let blocks = |dark: bool| if dark { "\u{2588}\u{2588}" } else { "  " };
    let light_blocks = |dark: bool| if dark { "  " } else { "\u{2588}\u{2588}" };
    let squares = |dark: bool| if dark { "\u{2b1b}" } else { "\u{2b1c}" };
    let numbers = |dark: bool| if dark { "&#9608;&#9608;" } else { "&nbsp;&nbsp;" };
    let styled = |dark: bool| if dark { "<td style='width:4px;background-color:#000'>" } else { "<td>" };
    let coloured = |dark: bool| if dark { "<td bgcolor=123 colspan=1></td>" } else { "<td bgcolor=white></td>" };
    for (name, text) in [
        ("a.txt", format!("Scan this:\r\n{}Thank you", half_blocks("\r\n"))),
        ("a.txt", cells(blocks, "\n")),
        ("a.txt", cells(light_blocks, "\n")),
        ("a.txt", cells(squares, "\n\n")),
        ("a.html", format!("<html><p>Scan this<pre>{}</pre>", half_blocks("\n"))),
        ("a.html", format!("<html><p>Scan this<br>{}Thank you", half_blocks("<br>"))),
        ("a.html", format!("<html><div>{}</div>", cells(numbers, "</div><div>"))),
        ("a.html", format!("<html><table><tr>{}</table>", cells(styled, "<tr>"))),
        ("a.html", format!("<html><table><tr>{}</tr></table>", cells(coloured, "</tr><tr>"))),
    ] {
        let found = inspected(name, text.as_bytes());
        let codes: Vec<&str> = found.links.iter().map(|found| found.link.target.as_str()).collect();
        assert_eq!(
            (codes, found.findings.len()),
            (vec![TARGET], 0),
            "{name}: {}",
            text.chars().take(300).collect::<String>()
        );
    }
    for bar in ["[\u{2588}\u{2588}\u{2588}\u{2591}\u{2591}] 60 %\n".repeat(50), "\u{2588}".repeat(100_000)] {
        assert_eq!(links("a.txt", bar.as_bytes()), [""; 0]);
    }
}

#[test]
fn what_looks_like_codes_everywhere_is_given_up() {
    let mark = |x: usize, y: usize| {
        let [x, y] = [x % 9, y % 9];
        let ring = x.abs_diff(3).max(y.abs_diff(3));
        x < 7 && y < 7 && ring != 2
    };
    let marks = png(600, 8, 0, |y| (0..600).map(|x| ink(mark(x, y))).collect());
    let found = inspected("a.png", &marks).findings;
    let found: Vec<&str> = found.iter().map(|finding| finding.detail.as_str()).collect();
    assert_eq!(found, ["the picture has more that looks like codes than is looked at, so codes in it may be missed"]);
}
