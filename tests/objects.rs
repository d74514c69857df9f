//! The bucket as its objects lie there, read and written with the real SDK.

use std::time::Duration;

use gatepost_local::aws::{clients, s3::BUCKET};

const CALL: Duration = Duration::from_secs(30);

/// All keys in order. Reports beside a message that waits are one, whoever wrote them.
pub(crate) async fn keys(endpoint: &str) -> Vec<String> {
    let mut keys: Vec<String> = all_keys(endpoint).await.iter().map(|key| without_holder(key)).collect();
    keys.dedup();
    keys
}

/// `inbound/<messageId>!<holder>.report.json` without its holder.
fn without_holder(key: &str) -> String {
    let draft = key.strip_suffix(".report.json").filter(|key| key.starts_with("inbound/"));
    draft
        .and_then(|draft| draft.rsplit_once('!'))
        .map_or(key.to_owned(), |(message, _)| format!("{message}.report.json"))
}

/// All keys as they are, in order.
pub(crate) async fn all_keys(endpoint: &str) -> Vec<String> {
    let mut pages = clients::s3(endpoint, CALL).list_objects_v2().bucket(BUCKET).into_paginator().send();
    let mut keys = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.expect("the bucket answers");
        keys.extend(page.contents().iter().filter_map(|object| object.key()).map(str::to_owned));
    }
    keys.sort_unstable();
    keys
}

/// The keys of one message.
pub(crate) async fn keys_of(endpoint: &str, message_id: &str) -> Vec<String> {
    let report = format!("{message_id}.report.json");
    let is_of = |key: &String| key.rsplit('/').next().is_some_and(|name| name == message_id || name == report);
    keys(endpoint).await.into_iter().filter(is_of).collect()
}

pub(crate) async fn object(endpoint: &str, key: &str) -> Vec<u8> {
    let get = clients::s3(endpoint, CALL).get_object().bucket(BUCKET).key(key).send().await;
    let object = get.unwrap_or_else(|error| panic!("{key}: {error:?}"));
    object.body.collect().await.expect("a whole object").to_vec()
}

pub(crate) async fn put(endpoint: &str, key: &str, octets: Vec<u8>) {
    let put = clients::s3(endpoint, CALL).put_object().bucket(BUCKET).key(key).body(octets.into()).send().await;
    put.unwrap_or_else(|error| panic!("{key}: {error:?}"));
}

pub(crate) async fn delete(endpoint: &str, key: &str) {
    let delete = clients::s3(endpoint, CALL).delete_object().bucket(BUCKET).key(key).send().await;
    delete.unwrap_or_else(|error| panic!("{key}: {error:?}"));
}

/// Where a message and its report lie, in order: under `inbound/` as long as nobody cleared it, and in its place.
pub(crate) fn lying_in(places: &[&str], message_id: &str) -> Vec<String> {
    let of = |place: &&str| [format!("{place}/{message_id}"), format!("{place}/{message_id}.report.json")];
    let mut keys: Vec<String> = places.iter().flat_map(of).collect();
    keys.sort_unstable();
    keys
}
