//! Issuers that stand in for those that definitions name.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::reader::{Object, Reader};
use crate::auth::ConfigError;
use crate::auth::jwt::{Algorithm, Issuer, IssuerBuilder, KeySet};

/// An issuer that stands in for the one that a definition names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct IssuerConfig {
    /// What its tokens say as `iss`. Default: the name in the definition.
    pub issuer: Option<String>,
    /// Where its key set is. Default: where its description, below its name, says.
    pub jwks_uri: Option<String>,
    /// A file with its key set, which is read once, instead.
    pub jwks: Option<PathBuf>,
    /// The algorithms that are accepted. Default: what the definition or the service says.
    pub algorithms: Vec<String>,
}

/// An address, or an object.
pub(super) fn issuer(item: &Value, path: &str, reader: &mut Reader) -> Option<IssuerConfig> {
    let mut config = IssuerConfig::default();
    if let Some(address) = item.as_str() {
        config.issuer = Some(address.to_owned());
        return Some(config);
    }
    let fields = ["issuer", "jwksUri", "jwks", "algorithms"];
    let object: Object<'_> = reader.object(item, path, &fields)?;
    config.issuer = reader.text(object, "issuer").map(str::to_owned);
    config.jwks_uri = reader.text(object, "jwksUri").map(str::to_owned);
    config.jwks = reader.text(object, "jwks").map(PathBuf::from);
    config.algorithms = reader.texts(object, "algorithms");
    if config.jwks_uri.is_some() && config.jwks.is_some() {
        reader.fault(path, "has both `jwksUri` and `jwks`; leave one out");
        return None;
    }
    Some(config)
}

impl IssuerConfig {
    /// The issuer that stands in for `named`. What is wrong comes with the field that it is about.
    pub(super) fn build(
        &self,
        named: &str,
        folder: &Path,
    ) -> Result<IssuerBuilder, (&'static str, String)> {
        let wrong = |field| {
            move |error: ConfigError| (field, format!("{}; {}", error.problem(), error.fix()))
        };
        // A pool's ARN is no issuer; its tokens name another.
        let pool = || Issuer::user_pool(named).map(|pool| pool.name().to_owned());
        let name = match &self.issuer {
            Some(issuer) => issuer.clone(),
            None if named.starts_with("arn:") => pool().map_err(wrong("issuer"))?,
            None => named.to_owned(),
        };
        let algorithms = self.algorithms.iter().map(|name| name.parse());
        let algorithms: Result<Vec<Algorithm>, _> = algorithms.collect();
        let algorithms = algorithms.map_err(wrong("algorithms"))?;
        let issuer = if let Some(uri) = &self.jwks_uri {
            Issuer::with_jwks(&name, uri).map_err(wrong("jwksUri"))?
        } else if let Some(path) = &self.jwks {
            let path = folder.join(path);
            let text = std::fs::read_to_string(&path)
                .map_err(|error| ("jwks", format!("cannot read {}: {error}", path.display())))?;
            let keys = KeySet::from_jwks(&text).map_err(wrong("jwks"))?;
            if !algorithms.is_empty() && !algorithms.iter().any(|own| keys.serves(*own)) {
                let message = format!(
                    "fit none of the keys in {}: no token would do",
                    path.display()
                );
                return Err(("algorithms", message));
            }
            Issuer::given(&name, keys).map_err(wrong("jwks"))?
        } else {
            Issuer::discover(&name).map_err(wrong("issuer"))?
        };
        Ok(issuer.algorithms(algorithms))
    }
}
