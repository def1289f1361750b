//! The form in which a state is kept.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::{StateError, StoredState};
use crate::gateway::deployments::{Digest, Histories, History, Snapshot, StageState};

/// The form that this version writes and reads.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Index {
    version: u32,
    apis: BTreeMap<String, ApiIndex>,
}

#[derive(Serialize, Deserialize)]
struct ApiIndex {
    configured: String,
    current: String,
    /// Oldest first.
    deployments: Vec<DeploymentIndex>,
    stages: BTreeMap<String, StageState>,
}

#[derive(Serialize, Deserialize)]
struct DeploymentIndex {
    id: String,
    /// Of what the definition says.
    definition: Digest,
    /// Of its text.
    document: Digest,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// Seconds since 1970.
    created: u64,
}

pub(super) fn write(histories: &Histories) -> StoredState {
    let mut documents = BTreeMap::new();
    let mut apis = BTreeMap::new();
    for (id, history) in histories {
        let mut deployments = Vec::with_capacity(history.snapshots.len());
        for own in &history.snapshots {
            documents.insert(own.text.as_str().to_owned(), Arc::clone(&own.document));
            let created = own.created.duration_since(UNIX_EPOCH).unwrap_or_default();
            deployments.push(DeploymentIndex {
                id: own.id.clone(),
                definition: own.digest.clone(),
                document: own.text.clone(),
                description: own.description.clone(),
                created: created.as_secs(),
            });
        }
        let api = ApiIndex {
            configured: history.configured.clone(),
            current: history.current.clone(),
            deployments,
            stages: history.stages.clone(),
        };
        apis.insert(id.clone(), api);
    }
    let index = Index {
        version: VERSION,
        apis,
    };
    // Texts and numbers under texts can always be written.
    let index = serde_json::to_string_pretty(&index).unwrap_or_default();
    StoredState::new(index, documents)
}

pub(super) fn read(state: &StoredState) -> Result<Histories, StateError> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u32,
    }

    let not_ours = |error| StateError::new("it is no state of a gateway").with_source(error);
    let Versioned { version } = serde_json::from_str(&state.index).map_err(not_ours)?;
    if version != VERSION {
        let message = format!("its version is {version}, and this gateway knows {VERSION} alone");
        return Err(StateError::new(message));
    }
    let index: Index = serde_json::from_str(&state.index).map_err(not_ours)?;
    let apis = index.apis.into_iter();
    apis.map(|(id, api)| Ok((id, history(api, &state.documents)?)))
        .collect()
}

fn history(api: ApiIndex, documents: &BTreeMap<String, Arc<str>>) -> Result<History, StateError> {
    let snapshots = api.deployments.into_iter().map(|own| {
        let document = documents.get(own.document.as_str()).ok_or_else(|| {
            StateError::new(format!(
                "the document of deployment {} is not there",
                own.id
            ))
        })?;
        Ok(Arc::new(Snapshot {
            id: own.id,
            digest: own.definition,
            text: own.document,
            document: Arc::clone(document),
            description: own.description,
            created: time(own.created),
        }))
    });
    Ok(History {
        snapshots: snapshots.collect::<Result<_, StateError>>()?,
        configured: api.configured,
        current: api.current,
        stages: api.stages,
    })
}

fn time(seconds: u64) -> SystemTime {
    let since = Duration::from_secs(seconds);
    UNIX_EPOCH.checked_add(since).unwrap_or(UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::{StoredState, read, write};
    use crate::gateway::Gateway;

    #[test]
    fn what_is_written_is_read() {
        let document =
            r#"{"openapi": "3.0.1", "info": {"title": "t", "version": "1"}, "paths": {}}"#;
        let gateway = Gateway::from_export(document).expect("a gateway");
        let handle = gateway.handle();
        let two = document.replace("\"1\"", "\"2\"");
        handle.deploy("api", two).expect("a good definition");
        let set = handle.set_stage_variables("api", "default", [("a", "1")]);
        set.expect("a good value");
        let histories = gateway.control.standing().histories.clone();
        let state = write(&histories);
        assert_eq!(state.documents.len(), 2);
        let again = read(&state).expect("it was written");
        assert_eq!(write(&again), state);
        assert_eq!(again["api"].stages, histories["api"].stages);
    }

    #[test]
    fn another_version_is_refused_by_its_number() {
        let state = StoredState::new(
            r#"{"version": 2, "more": {}}"#.to_owned(),
            Default::default(),
        );
        let error = read(&state).expect_err("it is another version").to_string();
        assert_eq!(error, "its version is 2, and this gateway knows 1 alone");
        let state = StoredState::new("{}".to_owned(), Default::default());
        let error = read(&state).expect_err("it is something else").to_string();
        assert!(
            error.starts_with("it is no state of a gateway: "),
            "{error}"
        );
    }
}
