//! Links: where they stand, what they show, where they lead. Nothing is ever fetched.

mod code;
mod html;
mod judgement;
mod rewriter;
mod script;
mod services;
mod shown;
mod target;
mod text;

pub use self::{
    code::links_of_code,
    html::{links_of_html, links_of_markup},
    judgement::{Judgement, Linked, judge},
    target::{Address, Target},
    text::{links_of_calendar, links_of_text},
};

/// Links of one message that are judged. Of 4,000 real messages none has more than 600.
pub const MAX_LINKS: usize = 5_000;

/// Octets of one target that are read. Pictures in `data:` addresses are longer, and no link.
pub const MAX_TARGET_OCTETS: usize = 8_192;

/// Characters of a link's text that are kept to compare it with its target.
pub const MAX_SHOWN_CHARACTERS: usize = 300;

/// One link, as the sender wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Link {
    /// References of HTML resolved, cut off at [`MAX_TARGET_OCTETS`].
    pub target: String,
    /// What the reader sees in its place, when that is a text.
    pub shown: String,
    pub place: Place,
}

/// The links of a text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Read {
    pub links: Vec<Link>,
    /// A tag has more attributes than are read of one.
    pub is_cut: bool,
}

/// What makes a program follow a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// Written as text. Many programs make it a link.
    Text,
    /// Fetched to show the message: pictures, style sheets, frames.
    Resource,
    /// A reader clicks on it.
    Anchor,
    /// In an invitation.
    Calendar,
    /// In an attached file.
    File,
    /// In a code (QR) of a picture, which a reader holds a telephone before.
    Code,
    /// Shown within the message by programs that allow it.
    Frame,
    /// Where a form sends what is typed into it.
    Form(Asks),
    /// Followed without a click.
    Refresh,
}

/// What a form asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Asks {
    /// Nothing that is typed.
    Nothing,
    Text,
    Password,
}

impl Link {
    /// One that shows nothing of its own.
    #[must_use]
    pub fn new(target: &str, place: Place) -> Self {
        let target = target.trim_matches(|c: char| c <= ' ');
        let end = target.char_indices().map(|(at, _)| at).find(|at| MAX_TARGET_OCTETS <= *at);
        Self {
            target: target.get(..end.unwrap_or(target.len())).unwrap_or_default().to_owned(),
            shown: String::new(),
            place,
        }
    }
}

impl Place {
    /// Whether it takes a reader's click, or not even that, to follow the link.
    #[must_use]
    pub fn is_followed(self) -> bool {
        !matches!(self, Self::Text | Self::Resource)
    }
}
