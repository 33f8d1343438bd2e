//! The wire model: both generations of the API, decoded leniently. Only what the operator needs
//! is looked at; everything else is skipped unread.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::error::{ApiError, ErrorType};
use crate::api::{self, DeploymentId, PausedReason, Schedule};

/// What the operator keeps of a remote deployment besides its id, cut to the bounds of the CRD's schema so that
/// no remote value can make a status invalid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// The status.
    pub status: RemoteStatus,
    /// Why it is paused. Kept whatever the status says.
    pub paused_reason: Option<PausedReason>,
    /// Whether `archived_at` is set. An archived object keeps its old status.
    pub archived: bool,
    /// `archived_at`, if it is a time.
    pub archived_time: Option<String>,
    /// The name.
    pub name: Option<String>,
    /// The schedule; `None`: manual-only.
    pub schedule: Option<Schedule>,
}

/// The remote `status`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RemoteStatus {
    /// `active`.
    Active,
    /// `paused`.
    Paused,
    /// What a later API says.
    Other(String),
}

impl RemoteStatus {
    /// Verbatim (cut to the schema's bound).
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Other(text) => text,
        }
    }
}

impl From<String> for RemoteStatus {
    fn from(text: String) -> Self {
        match text.as_str() {
            "active" => Self::Active,
            "paused" => Self::Paused,
            _ => Self::Other(cut(text, api::MAX_TEXT)),
        }
    }
}

/// One entry of a page.
#[derive(Debug, PartialEq, Eq)]
pub enum Item {
    /// A deployment.
    Deployment(DeploymentId, Deployment),
    /// It makes no sense, but says which deployment it is about.
    Invalid(DeploymentId),
}

/// One page of a list.
#[derive(Debug, PartialEq, Eq)]
pub struct Page {
    /// The entries that could be told apart.
    pub items: Vec<Item>,
    /// Where the next page starts; `None`: this is the last.
    pub next: Option<Cursor>,
}

/// Where a page starts (API page, section 3).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Cursor {
    /// `after_id`: known to both generations, therefore preferred.
    AfterId(String),
    /// `page`: only where the page before names no last id.
    Page(String),
}

/// Decodes one deployment and checks that it is the one asked for.
pub(super) fn deployment(body: &[u8], asked: &DeploymentId) -> Result<Deployment, ApiError> {
    let (id, found) = serde_json::from_slice::<RawDeployment>(body)
        .map_err(|_| ApiError::Invalid("not a deployment"))?
        .check()
        .ok_or(ApiError::Invalid("a deployment without a proper id"))?;
    if id == *asked {
        Ok(found)
    } else {
        Err(ApiError::Invalid("another deployment than the one asked for"))
    }
}

/// Decodes a page. An entry that makes no sense does not spoil the others.
pub(super) fn page(body: &[u8]) -> Result<Page, ApiError> {
    let page: RawPage<'_> =
        serde_json::from_slice(body).map_err(|_| ApiError::Invalid("not a page of a list"))?;
    let items = page.data.iter().filter_map(|raw| item(raw)).collect();
    let next = if page.has_more {
        let cursor = page.last_id.filter(|id| !id.is_empty()).map(Cursor::AfterId);
        let cursor = cursor.or(page.next_page.filter(|page| !page.is_empty()).map(Cursor::Page));
        Some(cursor.ok_or(ApiError::Invalid("a page with more to come and no cursor"))?)
    } else {
        None
    };
    Ok(Page { items, next })
}

fn item(raw: &RawValue) -> Option<Item> {
    let whole = serde_json::from_str::<RawDeployment>(raw.get()).ok();
    if let Some((id, found)) = whole.and_then(RawDeployment::check) {
        return Some(Item::Deployment(id, found));
    }
    let only: OnlyId = serde_json::from_str(raw.get()).ok()?;
    DeploymentId::try_from(only.id.as_str()).ok().map(Item::Invalid)
}

/// The type in the API's own error envelope; `None`: the body is something else.
pub(super) fn error_type(body: &[u8]) -> Option<ErrorType> {
    let envelope: Envelope = serde_json::from_slice(body).ok()?;
    if envelope.kind != "error" {
        return None;
    }
    Some(match envelope.error.kind.as_str() {
        "invalid_request_error" => ErrorType::InvalidRequest,
        "not_found_error" => ErrorType::NotFound,
        _ => ErrorType::Other,
    })
}

#[derive(Deserialize)]
struct RawDeployment {
    id: String,
    status: String,
    #[serde(default)]
    paused_reason: Option<PausedReason>,
    #[serde(default)]
    archived_at: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    schedule: Option<RawSchedule>,
}

#[derive(Deserialize)]
struct RawSchedule {
    #[serde(default)]
    expression: String,
    #[serde(default)]
    timezone: Option<String>,
}

#[derive(Deserialize)]
struct OnlyId {
    id: String,
}

#[derive(Deserialize)]
struct RawPage<'a> {
    #[serde(borrow)]
    data: Vec<&'a RawValue>,
    #[serde(default)]
    has_more: bool,
    #[serde(default)]
    last_id: Option<String>,
    #[serde(default)]
    next_page: Option<String>,
}

#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "type")]
    kind: String,
    error: EnvelopeError,
}

#[derive(Deserialize)]
struct EnvelopeError {
    #[serde(rename = "type")]
    kind: String,
}

impl RawDeployment {
    fn check(self) -> Option<(DeploymentId, Deployment)> {
        let time = |text: String| text.parse::<k8s_openapi::jiff::Timestamp>().ok();
        let id = DeploymentId::try_from(self.id.as_str()).ok()?;
        let deployment = Deployment {
            status: self.status.into(),
            paused_reason: self.paused_reason.map(cut_reason),
            archived: self.archived_at.is_some(),
            archived_time: self.archived_at.and_then(time).map(|time| time.to_string()),
            name: self.name.map(|name| cut(name, api::MAX_NAME)),
            schedule: self.schedule.map(|schedule| Schedule {
                expression: cut(schedule.expression, api::MAX_TEXT),
                timezone: schedule.timezone.map(|zone| cut(zone, api::MAX_TEXT)),
            }),
        };
        Some((id, deployment))
    }
}

fn cut_reason(mut reason: PausedReason) -> PausedReason {
    reason.kind = cut(reason.kind, api::MAX_TEXT);
    if let Some(error) = &mut reason.error {
        error.kind = cut(std::mem::take(&mut error.kind), api::MAX_TEXT);
    }
    reason
}

/// At most `max` characters, as the schema counts them.
fn cut(mut text: String, max: usize) -> String {
    if let Some((end, _)) = text.char_indices().nth(max) {
        text.truncate(end);
    }
    text.shrink_to_fit();
    text
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
