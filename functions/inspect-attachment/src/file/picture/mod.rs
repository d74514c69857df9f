//! Pictures: the codes in them (QR), which lead where no text of the message shows.

mod bitmap;
mod code;
mod decode;
mod drawn;
mod luma;
mod marks;
mod perspective;
mod samples;

use gatepost::content::link::links_of_code;
use gatepost::finding::Severity;

use self::{code::Codes, decode::Unpacked};
pub(crate) use self::{decode::Format, drawn::of_page as drawings_of_page, luma::Luma, samples::Samples};
use super::{
    budget::{Budget, Limit},
    contents::Contents,
    octets::text_of,
};

/// What the codes of a picture lead to.
pub(crate) fn read(format: Format, octets: &[u8], budget: &mut Budget) -> Contents<'static> {
    let mut contents = Contents::default();
    match format.show(octets, budget, &mut |picture| look(picture, &mut contents)) {
        Ok(Unpacked::Whole) => {}
        Ok(Unpacked::Part) => {
            let detail = "the animation has more frames than are looked at for codes";
            contents.remark("picture_limit_exceeded", Severity::Info, detail);
        }
        Err(limit) => unread(limit, &mut contents),
    }
    contents
}

/// As [`read`], of a picture that is unpacked already. Its size was taken from the budget.
pub(crate) fn look(picture: &Luma, contents: &mut Contents<'_>) {
    let codes = Codes::of(picture);
    contents.links.extend(codes.texts.iter().flat_map(|text| links_of_code(text)));
    if codes.is_cut {
        unread(Limit::Codes, contents);
    }
}

/// The codes that a text draws.
pub(crate) fn look_at_text(octets: &[u8], budget: &mut Budget, contents: &mut Contents<'_>) {
    if drawn::may_draw(octets) {
        look_at_drawings(&drawn::of_text(&text_of(octets)), budget, contents);
    }
}

pub(crate) fn look_at_drawings(drawings: &[Luma], budget: &mut Budget, contents: &mut Contents<'_>) {
    for drawing in drawings {
        match budget.take_picture(drawing.points(), 1) {
            Ok(()) => look(drawing, contents),
            Err(limit) => return unread(limit, contents),
        }
    }
}

/// Photographs are large, and so this alone holds nothing back.
pub(crate) fn unread(limit: Limit, contents: &mut Contents<'_>) {
    contents.remark(
        "picture_limit_exceeded",
        Severity::Review,
        format!("the picture {limit}, so codes in it may be missed"),
    );
}
