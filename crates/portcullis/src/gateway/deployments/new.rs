//! A deployment that is yet to be made.

/// A definition to be deployed, and what is said of it. A text is one, too.
///
/// ```
/// use portcullis::NewDeployment;
///
/// # let document = String::new();
/// let green = NewDeployment::new(document).description("green: new prices").stage("test");
/// # let _ = green;
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct NewDeployment {
    pub(in crate::gateway) document: String,
    pub(in crate::gateway) description: Option<String>,
    pub(in crate::gateway) stages: Vec<String>,
}

impl NewDeployment {
    /// Of an OpenAPI or Swagger document, in JSON or YAML.
    pub fn new(document: impl Into<String>) -> Self {
        Self {
            document: document.into(),
            description: None,
            stages: Vec::new(),
        }
    }

    /// What it is for.
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// Serves it on this stage alone, and on those that are named besides. Without any, every stage serves it that does not name
    /// a deployment of its own.
    pub fn stage(mut self, stage: impl Into<String>) -> Self {
        self.stages.push(stage.into());
        self
    }
}

impl From<String> for NewDeployment {
    fn from(document: String) -> Self {
        Self::new(document)
    }
}

impl From<&str> for NewDeployment {
    fn from(document: &str) -> Self {
        Self::new(document)
    }
}
