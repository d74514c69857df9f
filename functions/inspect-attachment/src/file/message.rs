//! Messages that are files: saved, packed into an archive, or inside a signature. Their parts are files in them, and their text is
//! read as that of a letter.

use gatepost::content::{
    links_of,
    mime::{Leaf, Limits, walk},
    unread_text,
};

use super::{
    Role,
    budget::{Budget, Limit},
    contents::{Contents, Inner},
};

pub(crate) fn read(message: &[u8], budget: &mut Budget) -> Contents<'static> {
    let (mut contents, mut outcome) = (Contents::default(), Ok(()));
    let findings = walk(message, Limits::DEFAULT, &mut |leaf| {
        if outcome.is_ok() {
            outcome = part(leaf, budget, &mut contents);
        }
    });
    contents.found(findings);
    if let Err(limit) = outcome {
        contents.exceeded(limit);
    }
    contents
}

fn part(leaf: &Leaf<'_>, budget: &mut Budget, contents: &mut Contents<'static>) -> Result<(), Limit> {
    budget.take_entry()?;
    budget.take_octets(leaf.octets.len())?;
    contents.links.extend(links_of(leaf).links);
    contents.found(unread_text(leaf));
    contents.inner.push(Inner {
        declared: leaf.declared.to_owned(),
        role: if leaf.is_body_text() { Role::Body } else { Role::Attachment },
        ..Inner::new(leaf.names.to_vec(), leaf.octets.to_vec())
    });
    Ok(())
}
