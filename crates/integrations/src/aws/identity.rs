//! Who an integration calls AWS as.

use std::collections::BTreeMap;

use portcullis_core::RequestContext;

use super::client::Aws;
use super::credentials::Credentials;
use crate::failure::{Failure, with_causes};
use crate::uri::{Piece, UriFault, pieces, variable};

/// What an integration's `credentials` say.
#[derive(Clone, Debug, Default)]
pub(crate) enum CallAs {
    /// Nothing: the permissions of what is called decide.
    #[default]
    Gateway,
    /// A role, whose ARN may hold stage variables.
    Role(Vec<Piece>),
    /// Whoever signed the request.
    Caller,
}

impl CallAs {
    pub(crate) fn parse(credentials: Option<&str>) -> Self {
        match credentials {
            None | Some("") => Self::Gateway,
            // `arn:aws:iam::*:user/*`, in any partition.
            Some(arn) if arn.starts_with("arn:") && arn.ends_with(":iam::*:user/*") => Self::Caller,
            Some(arn) => Self::Role(pieces(arn)),
        }
    }

    /// The role's ARN.
    pub(crate) fn role(
        &self,
        variables: Option<&BTreeMap<String, String>>,
    ) -> Result<Option<String>, UriFault> {
        let Self::Role(pieces) = self else {
            return Ok(None);
        };
        let mut arn = String::new();
        for piece in pieces {
            match piece {
                Piece::Text(text) | Piece::Parameter(text) => arn.push_str(text),
                Piece::StageVariable(name) => arn.push_str(variable(variables, name)?),
            }
        }
        Ok(Some(arn))
    }

    /// The credentials that sign a call for a request.
    pub(crate) async fn credentials(
        &self,
        aws: &Aws,
        context: &RequestContext,
    ) -> Result<Credentials, Failure> {
        let credentials = if matches!(self, Self::Caller) {
            aws.caller(context).await
        } else {
            let role = self.role(context.stage().map(|stage| &stage.variables))?;
            aws.credentials(role.as_deref()).await
        };
        credentials.map_err(|error| Failure::Configuration(with_causes(&error)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_name_a_role_or_the_caller() {
        assert!(matches!(CallAs::parse(None), CallAs::Gateway));
        assert!(matches!(
            CallAs::parse(Some("arn:aws:iam::*:user/*")),
            CallAs::Caller
        ));
        let role = CallAs::parse(Some("arn:aws:iam::1:role/${stageVariables.role}"));
        let variables = BTreeMap::from([("role".to_owned(), "pets".to_owned())]);
        let arn = role.role(Some(&variables)).expect("the variable is set");
        assert_eq!(arn.as_deref(), Some("arn:aws:iam::1:role/pets"));
        assert!(role.role(None).is_err());
    }
}
