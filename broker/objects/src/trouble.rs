//! What does a failure of a store mean, and what should be done about it?

use model::{Error, Kind};
use object_store::path::Path;

/// Whose store it is: decides which settings an advice names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vendor {
    Folder,
    S3,
    Gcs,
    Azure,
    /// Memory, and stores that tests wrap around others.
    Other,
}

/// What the bytes of an answer are worth to a person; stores send pages of XML.
const ANSWER_CHARS_MAX: usize = 400;

/// A failed read: `Missing`, `Invalid` if waiting does not cure it, or `Busy`.
pub fn of_read(vendor: Vendor, doing: &str, path: &Path, error: &object_store::Error) -> Error {
    let text = error.to_string();
    let cause = Cause::of(error, &text);
    if matches!(error, object_store::Error::NotFound { .. }) && cause != Some(Cause::NoBucket) {
        return Error::missing(format!("there is no object '{path}'"));
    }
    let kind = if cause.is_some_and(Cause::is_lasting) { Kind::Invalid } else { Kind::Busy };
    told(kind, &format!("could not {doing} object '{path}'"), vendor, cause, &text)
}

/// A failed write: `Invalid` if it was refused and will be again, `Unknown` otherwise.
pub fn of_write(vendor: Vendor, doing: &str, path: &Path, error: &object_store::Error) -> Error {
    let text = error.to_string();
    let mut cause = Cause::of(error, &text);
    if cause.is_none() && matches!(error, object_store::Error::NotFound { .. }) && !text.contains("NoSuchUpload") {
        cause = Some(Cause::NoBucket); // Nothing else has to be there before a write.
    }
    // A refusal of the last attempt says nothing of those before it, whose answers may have been lost.
    let repeated = text.contains(" retries, max_retries: ");
    match cause.is_some_and(Cause::is_lasting) && !repeated {
        true => told(Kind::Invalid, &format!("could not {doing} object '{path}'"), vendor, cause, &text),
        false => {
            let what = format!("it is not known whether we could {doing} object '{path}'");
            told(Kind::Unknown, &what, vendor, cause, &text)
        }
    }
}

fn told(kind: Kind, what: &str, vendor: Vendor, cause: Option<Cause>, text: &str) -> Error {
    let words = text.split_whitespace().collect::<Vec<&str>>().join(" ");
    let answer: String = words.chars().take(ANSWER_CHARS_MAX).collect();
    let advice = cause.map_or_else(|| "it is tried again".to_owned(), |cause| cause.advice(vendor));
    Error { kind, message: format!("{what}: {advice} ({answer})") }
}

/// Causes that somebody can do something about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    NoBucket,
    NoCredentials,
    WrongCredentials,
    Expired,
    Clock,
    Region,
    Denied,
    ReadOnly,
    Full,
    TooFast,
    Unreachable,
    Unsupported,
}

/// Words by which stores name a cause, the more telling ones first.
const WORDS: &[(&str, Cause)] = &[
    ("NoSuchBucket", Cause::NoBucket),
    ("ContainerNotFound", Cause::NoBucket),
    ("bucket does not exist", Cause::NoBucket),
    ("169.254.169.254", Cause::NoCredentials),
    ("metadata.google.internal", Cause::NoCredentials),
    ("ExpiredToken", Cause::Expired),
    ("TokenRefreshRequired", Cause::Expired),
    ("RequestTimeTooSkewed", Cause::Clock),
    ("InvalidAccessKeyId", Cause::WrongCredentials),
    ("SignatureDoesNotMatch", Cause::WrongCredentials),
    ("AuthenticationFailed", Cause::WrongCredentials),
    ("InvalidAuthenticationInfo", Cause::WrongCredentials),
    ("AuthorizationFailure", Cause::WrongCredentials),
    ("PermanentRedirect", Cause::Region),
    ("AuthorizationHeaderMalformed", Cause::Region),
    ("redirect without LOCATION", Cause::Region),
    ("SlowDown", Cause::TooFast),
    ("ServerBusy", Cause::TooFast),
    ("429 Too Many Requests", Cause::TooFast),
    ("401 Unauthorized", Cause::WrongCredentials),
    ("403 Forbidden", Cause::Denied),
    ("os error 13", Cause::Denied),
    ("os error 30", Cause::ReadOnly),
    ("os error 28", Cause::Full),
    ("error sending request", Cause::Unreachable),
    ("HTTP error: request or response body error", Cause::Unreachable),
];

impl Cause {
    fn of(error: &object_store::Error, text: &str) -> Option<Cause> {
        use object_store::Error as E;
        let named = WORDS.iter().find(|(word, _)| text.contains(word)).map(|(_, cause)| *cause);
        named.or(match error {
            E::PermissionDenied { .. } => Some(Cause::Denied),
            E::Unauthenticated { .. } => Some(Cause::WrongCredentials),
            E::InvalidPath { .. }
            | E::NotSupported { .. }
            | E::NotImplemented { .. }
            | E::UnknownConfigurationKey { .. } => Some(Cause::Unsupported),
            _ => None,
        })
    }

    /// Refusals that repeating does not change.
    fn is_lasting(self) -> bool {
        use Cause::{Denied, NoBucket, ReadOnly, Region, Unsupported, WrongCredentials};
        matches!(self, NoBucket | WrongCredentials | Region | Denied | ReadOnly | Unsupported)
    }

    fn advice(self, vendor: Vendor) -> String {
        let keys = vendor.keys();
        match self {
            Cause::NoBucket => "the bucket does not exist; create it, or correct object_store".into(),
            Cause::NoCredentials => format!("no credentials were found; set {keys}"),
            Cause::WrongCredentials => format!("the store does not accept the credentials; check {keys}"),
            Cause::Expired => format!("the credentials have expired; renew {keys} and start again"),
            Cause::Clock => "the clock of this machine is wrong; set it, the store checks it".into(),
            Cause::Region => "the bucket is in another region; set AWS_REGION to the bucket's".into(),
            Cause::Denied => format!("the store does not allow it; grant {}", vendor.rights()),
            Cause::ReadOnly => "the file system is read-only; mount it for writing".into(),
            Cause::Full => "no space is left there; make some, it is tried again".into(),
            Cause::TooFast => "the store asks for fewer requests; it is tried again, more slowly".into(),
            Cause::Unreachable => format!("the store cannot be reached; check the network and {}", vendor.address()),
            Cause::Unsupported => "this store cannot do that".into(),
        }
    }
}

impl Vendor {
    fn keys(self) -> &'static str {
        match self {
            Vendor::S3 => "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN",
            Vendor::Gcs => "GOOGLE_APPLICATION_CREDENTIALS or GOOGLE_SERVICE_ACCOUNT_KEY",
            Vendor::Azure => "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or AZURE_STORAGE_SAS_TOKEN",
            Vendor::Folder | Vendor::Other => "the credentials",
        }
    }

    fn rights(self) -> &'static str {
        match self {
            Vendor::S3 => "s3:GetObject, s3:PutObject, s3:DeleteObject and s3:ListBucket on the bucket",
            Vendor::Gcs => "the role Storage Object User (roles/storage.objectUser) on the bucket",
            Vendor::Azure => "the role Storage Blob Data Contributor on the container",
            Vendor::Folder | Vendor::Other => "reading and writing in the folder to the user of this process",
        }
    }

    fn address(self) -> &'static str {
        match self {
            Vendor::S3 => "AWS_ENDPOINT_URL",
            Vendor::Gcs => "GOOGLE_BASE_URL or STORAGE_EMULATOR_HOST",
            Vendor::Azure => "AZURE_STORAGE_ENDPOINT or AZURITE_BLOB_STORAGE_URL",
            Vendor::Folder | Vendor::Other => "object_store",
        }
    }
}

#[cfg(test)]
mod tests;
