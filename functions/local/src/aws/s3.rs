//! S3: objects as files of a folder, behind an HTTP endpoint.

use super::clients::{ACCESS_KEY, SECRET_KEY};
use super::loopback::Loopback;
use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use s3s::auth::SimpleAuth;
use s3s::dto::{
    CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopySource, DeleteObjectInput, DeleteObjectOutput,
    DeleteObjectsInput, DeleteObjectsOutput, GetObjectInput, GetObjectOutput, HeadBucketInput, HeadBucketOutput,
    HeadObjectInput, HeadObjectOutput, ListObjectsV2Input, ListObjectsV2Output, PutObjectInput, PutObjectOutput,
    StreamingBlob,
};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};
use s3s_fs::FileSystem;
use std::path::{Path, PathBuf};
use std::{fs, io};
use tokio::sync::{RwLock, Semaphore};

/// The name of the one bucket.
pub const BUCKET: &str = "gatepost";

/// SES stores messages of up to 40 MB; the rest is for the framing of a signed upload.
const MAX_BODY_BYTES: u64 = 45_000_000;
/// Uploads held in memory at a time, each of at most [`MAX_BODY_BYTES`]. The others wait.
const UPLOADS: usize = 4;
const FOLDER: &str = "s3";

/// A running endpoint that holds the bucket [`BUCKET`]. Stops when dropped.
///
/// A key is limited to 160 octets, because it becomes part of a file name, and an object to 45 MB.
#[derive(Debug)]
pub struct ObjectStore {
    loopback: Loopback,
    #[cfg_attr(not(test), expect(dead_code, reason = "it is held to be removed at drop"))]
    temporary: Option<TemporaryFolder>,
}

impl ObjectStore {
    /// Starts on the folder `s3` inside `data`, or on a temporary folder that is removed at drop.
    ///
    /// # Errors
    /// When the folder cannot be used or no port can be bound.
    pub async fn start(data: Option<&Path>) -> io::Result<Self> {
        let (root, temporary) = match data {
            Some(data) => (data.join(FOLDER), None),
            None => TemporaryFolder::create().map(|folder| (folder.0.clone(), Some(folder)))?,
        };
        fs::create_dir_all(root.join(BUCKET))?;
        let files = FileSystem::new(&root).map_err(|error| io::Error::other(format!("{error:?}")))?;
        let mut service = S3ServiceBuilder::new(Atomic::new(files));
        service.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        let router = Router::new().fallback(answer).with_state(service.build());
        Ok(Self { loopback: Loopback::serve(router).await?, temporary })
    }

    /// `http://127.0.0.1:PORT`
    #[must_use]
    pub fn url(&self) -> String {
        self.loopback.url()
    }
}

async fn answer(State(service): State<S3Service>, request: Request) -> Response {
    match request.body().size_hint().upper() {
        None => return refusal(StatusCode::LENGTH_REQUIRED, "MissingContentLength"),
        Some(size) if MAX_BODY_BYTES < size => return refusal(StatusCode::BAD_REQUEST, "EntityTooLarge"),
        Some(_) => {}
    }
    match service.call(request.map(s3s::Body::http_body_unsync)).await {
        Ok(response) => response.map(Body::new),
        Err(_) => refusal(StatusCode::INTERNAL_SERVER_ERROR, "InternalError"),
    }
}

fn refusal(status: StatusCode, code: &str) -> Response {
    let xml = format!(r#"<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code></Error>"#);
    (status, [(header::CONTENT_TYPE, "application/xml"), (header::CONNECTION, "close")], xml).into_response()
}

/// A file store in which, as in S3, each object changes at once: a reader, a listing, a second writer or a process
/// killed half-way finds the old object or the new one.
///
/// The file store alone copies in place, writes an object's attributes after its content, and fails a listing when a
/// file disappears meanwhile.
struct Atomic {
    files: FileSystem,
    change: RwLock<()>,
    uploads: Semaphore,
}

impl Atomic {
    fn new(files: FileSystem) -> Self {
        Self { files, change: RwLock::new(()), uploads: Semaphore::new(UPLOADS) }
    }
}

#[async_trait::async_trait]
impl S3 for Atomic {
    async fn head_bucket(&self, request: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        self.files.head_bucket(request).await
    }

    async fn put_object(&self, mut request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let _upload = self.uploads.acquire().await.map_err(|_| s3_error!(ServiceUnavailable))?;
        // Read in full first: a slow client must not hold the lock.
        request.input.body = match request.input.body.take() {
            Some(body) => Some(in_memory(body).await?),
            None => None,
        };
        let _alone = self.change.write().await;
        self.files.put_object(request).await
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let _unchanged = self.change.read().await;
        self.files.get_object(request).await.map(|found| found.map_output(without_checksums))
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let _unchanged = self.change.read().await;
        self.files.head_object(request).await
    }

    async fn copy_object(&self, request: S3Request<CopyObjectInput>) -> S3Result<S3Response<CopyObjectOutput>> {
        let source = source_of(&request.input)?;
        let _alone = self.change.write().await;
        let found = self.files.get_object(with_input(&request, source)).await?.output;
        let upload = upload_of(found, &request.input);
        let written = self.files.put_object(with_input(&request, upload)).await?.output;
        let result = CopyObjectResult { e_tag: written.e_tag, ..CopyObjectResult::default() };
        Ok(S3Response::new(CopyObjectOutput { copy_object_result: Some(result), ..CopyObjectOutput::default() }))
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let _unchanged = self.change.read().await;
        self.files.list_objects_v2(request).await
    }

    async fn delete_object(&self, request: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        let _alone = self.change.write().await;
        self.files.delete_object(request).await
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let _alone = self.change.write().await;
        self.files.delete_objects(request).await
    }
}

async fn in_memory(body: StreamingBlob) -> S3Result<StreamingBlob> {
    let limit = usize::try_from(MAX_BODY_BYTES).unwrap_or(usize::MAX);
    match s3s::Body::from(body).store_all_limited(limit).await {
        Ok(bytes) => Ok(s3s::Body::from(bytes).into()),
        Err(_) => Err(s3_error!(IncompleteBody)),
    }
}

/// The checksums are kept beside the content, so those of an object that was being replaced when the process was killed
/// would belong to the other content, and the SDK would refuse to read it.
fn without_checksums(found: GetObjectOutput) -> GetObjectOutput {
    GetObjectOutput {
        checksum_crc32: None,
        checksum_crc32c: None,
        checksum_crc64nvme: None,
        checksum_sha1: None,
        checksum_sha256: None,
        ..found
    }
}

fn source_of(copy: &CopyObjectInput) -> S3Result<GetObjectInput> {
    let conditional = copy.copy_source_if_match.is_some()
        || copy.copy_source_if_none_match.is_some()
        || copy.copy_source_if_modified_since.is_some()
        || copy.copy_source_if_unmodified_since.is_some();
    match &copy.copy_source {
        CopySource::Bucket { bucket, key, .. } if !conditional => {
            Ok(GetObjectInput { bucket: bucket.to_string(), key: key.to_string(), ..GetObjectInput::default() })
        }
        _ => Err(s3_error!(NotImplemented)),
    }
}

fn upload_of(found: GetObjectOutput, copy: &CopyObjectInput) -> PutObjectInput {
    let replaced = copy.metadata_directive.as_ref().is_some_and(|directive| directive.as_str() == "REPLACE");
    let (metadata, content_type) = if replaced {
        (copy.metadata.clone(), copy.content_type.clone())
    } else {
        (found.metadata, found.content_type)
    };
    PutObjectInput {
        bucket: copy.bucket.clone(),
        key: copy.key.clone(),
        body: found.body,
        content_length: found.content_length,
        metadata,
        content_type,
        ..PutObjectInput::default()
    }
}

fn with_input<A, B>(request: &S3Request<A>, input: B) -> S3Request<B> {
    S3Request {
        input,
        method: request.method.clone(),
        uri: request.uri.clone(),
        headers: request.headers.clone(),
        extensions: request.extensions.clone(),
        credentials: request.credentials.clone(),
        region: request.region.clone(),
        service: request.service.clone(),
        trailing_headers: None,
    }
}

#[derive(Debug)]
struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    fn create() -> io::Result<Self> {
        let unique = getrandom::u64().map_err(io::Error::other)?;
        let path = std::env::temp_dir().join(format!("gatepost-s3-{unique:016x}"));
        owner_only().create(&path)?;
        Ok(Self(path))
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        // A folder that cannot be removed is left to the system's own cleaning.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Messages are private: other users of the machine may not read the folder.
fn owner_only() -> fs::DirBuilder {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "the mode is a notion of unix"))]
    let mut folder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
    folder
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::clients;
    use aws_sdk_s3::Client;
    use aws_sdk_s3::error::ProvideErrorMetadata;
    use aws_sdk_s3::primitives::ByteStream;
    use std::time::Duration;

    async fn started() -> (ObjectStore, Client) {
        let store = ObjectStore::start(None).await.expect("the endpoint starts");
        let client = clients::s3(&store.url(), Duration::from_mins(1));
        (store, client)
    }

    async fn put(client: &Client, key: &str, content: Vec<u8>) {
        let body = ByteStream::from(content);
        client.put_object().bucket(BUCKET).key(key).metadata("place", "inbound").body(body).send().await.expect("put");
    }

    async fn get(client: &Client, key: &str) -> Vec<u8> {
        let found = client.get_object().bucket(BUCKET).key(key).send().await.expect("the object is found");
        found.body.collect().await.expect("the body arrives whole").to_vec()
    }

    fn content(size: usize) -> Vec<u8> {
        (0..size).map(|at| u8::try_from(at * 31 % 251).expect("251 fits an octet")).collect()
    }

    #[tokio::test]
    async fn an_object_of_40_mb_is_put_copied_and_read_back() {
        let (_store, client) = started().await;
        let message = content(40_000_000);
        put(&client, "inbound/m1", message.clone()).await;
        let copy = client.copy_object().bucket(BUCKET).copy_source("gatepost/inbound/m1").key("delivered/m1");
        copy.send().await.expect("it is copied");
        assert!(get(&client, "delivered/m1").await == message, "the copy differs");
        let head = client.head_object().bucket(BUCKET).key("delivered/m1").send().await.expect("it is there");
        assert_eq!(head.content_length, Some(40_000_000));
        assert_eq!(head.metadata.and_then(|pairs| pairs.get("place").cloned()).as_deref(), Some("inbound"));
    }

    #[tokio::test]
    async fn an_object_over_45_mb_is_refused() {
        let (_store, client) = started().await;
        let body = ByteStream::from(vec![0; 45_000_001]);
        let refused = client.put_object().bucket(BUCKET).key("inbound/m1").body(body).send().await;
        // The connection may be closed before the client has read why.
        refused.expect_err("it is too large");
        let absent = client.head_object().bucket(BUCKET).key("inbound/m1").send().await.expect_err("it was not kept");
        assert!(absent.into_service_error().is_not_found());
    }

    #[tokio::test]
    async fn a_listing_is_ordered_paged_and_knows_nothing_of_deleted_objects() {
        let (_store, client) = started().await;
        for key in ["inbound/b", "inbound/a", "inbound/a.report.json", "delivered/a", "inbound/c"] {
            put(&client, key, content(10)).await;
        }
        client.delete_object().bucket(BUCKET).key("inbound/b").send().await.expect("it is deleted");
        client.delete_object().bucket(BUCKET).key("inbound/b").send().await.expect("and may be deleted again");
        let mut keys = Vec::new();
        let mut pages = client.list_objects_v2().bucket(BUCKET).prefix("inbound/").max_keys(2).into_paginator().send();
        while let Some(page) = pages.next().await {
            keys.extend(page.expect("it is listed").contents.unwrap_or_default().into_iter().filter_map(|o| o.key));
        }
        assert_eq!(keys, ["inbound/a", "inbound/a.report.json", "inbound/c"]);
    }

    #[tokio::test]
    async fn only_one_of_many_writers_creates_an_object() {
        let (_store, client) = started().await;
        let writers: Vec<_> = (0..8)
            .map(|_| {
                let create = client.put_object().bucket(BUCKET).key("inbound/m1").if_none_match("*");
                tokio::spawn(create.body(ByteStream::from_static(b"x")).send())
            })
            .collect();
        let mut refusals = Vec::new();
        for writer in writers {
            if let Err(error) = writer.await.expect("no writer panics") {
                refusals.push(error.code().map(str::to_owned));
            }
        }
        assert_eq!(refusals, vec![Some("PreconditionFailed".to_owned()); 7]);
    }

    #[tokio::test]
    async fn a_reader_never_sees_two_versions_of_an_object_mixed() {
        let (_store, client) = started().await;
        let (one, two) = (vec![1; 300_000], vec![2; 200_000]);
        put(&client, "inbound/m1", one.clone()).await;
        let writer = client.clone();
        let (first, second) = (one.clone(), two.clone());
        let writing = tokio::spawn(async move {
            for _ in 0..20 {
                put(&writer, "inbound/m1", second.clone()).await;
                put(&writer, "inbound/m1", first.clone()).await;
            }
        });
        while !writing.is_finished() {
            let read = get(&client, "inbound/m1").await;
            assert!(read == one || read == two, "a mixture of {} octets", read.len());
        }
        writing.await.expect("the writer does not panic");
    }

    #[tokio::test]
    async fn faults_have_the_names_that_s3_gives_them() {
        let (store, client) = started().await;
        let absent = client.get_object().bucket(BUCKET).key("inbound/none").send().await.expect_err("nothing there");
        assert_eq!(absent.code(), Some("NoSuchKey"));
        let copy = client.copy_object().bucket(BUCKET).key("delivered/x").copy_source("gatepost/inbound/none");
        assert_eq!(copy.send().await.expect_err("nothing to copy").code(), Some("NoSuchKey"));
        let outside = client.get_object().bucket(BUCKET).key("../../etc/passwd").send().await;
        assert_ne!(outside.expect_err("a key is no path").code(), None);
        let stranger = aws_sdk_s3::config::Credentials::new("other", "key", None, None, "test");
        let stranger = client.config().to_builder().credentials_provider(stranger).build();
        let stranger = Client::from_conf(stranger).list_objects_v2().bucket(BUCKET).send().await;
        assert_eq!(stranger.expect_err("not our credentials").code(), Some("NotSignedUp"));
        drop(store);
    }

    #[tokio::test]
    async fn a_temporary_folder_goes_with_its_endpoint_and_a_data_folder_stays() {
        let (store, client) = started().await;
        put(&client, "inbound/m1", content(10)).await;
        let folder = store.temporary.as_ref().map(|folder| folder.0.clone()).expect("it has a temporary folder");
        drop(store);
        assert!(!folder.exists());

        let data = TemporaryFolder::create().expect("the folder is made");
        let store = ObjectStore::start(Some(&data.0)).await.expect("the endpoint starts");
        put(&clients::s3(&store.url(), Duration::from_secs(5)), "inbound/m1", content(10)).await;
        drop(store);
        let store = ObjectStore::start(Some(&data.0)).await.expect("the endpoint starts again");
        assert_eq!(get(&clients::s3(&store.url(), Duration::from_secs(5)), "inbound/m1").await, content(10));
    }
}
