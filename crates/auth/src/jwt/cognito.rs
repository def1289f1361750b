//! Cognito user pools.

use crate::ConfigError;

/// The issuer that the tokens of a user pool name.
pub(crate) fn issuer_of(arn: &str) -> Result<String, ConfigError> {
    let fault = || {
        ConfigError::new(
            "providerARNs",
            format!("`{arn}` is not the ARN of a user pool"),
            "give one such as `arn:aws:cognito-idp:eu-west-1:111111111111:userpool/eu-west-1_AbCdEf123`",
        )
    };
    let mut parts = arn.splitn(6, ':');
    let mut next = || {
        parts
            .next()
            .filter(|part| !part.is_empty())
            .ok_or_else(fault)
    };
    if next()? != "arn" {
        return Err(fault());
    }
    let domain = match next()? {
        "aws" | "aws-us-gov" => "amazonaws.com",
        "aws-cn" => "amazonaws.com.cn",
        _ => return Err(fault()),
    };
    if next()? != "cognito-idp" {
        return Err(fault());
    }
    let region = next()?;
    next()?;
    let pool = next()?.strip_prefix("userpool/").ok_or_else(fault)?;
    let is_name = |text: &str, extra: &[u8]| {
        !text.is_empty()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || extra.contains(&byte))
    };
    if !is_name(region, b"-") || !is_name(pool, b"-_") {
        return Err(fault());
    }
    Ok(format!("https://cognito-idp.{region}.{domain}/{pool}"))
}

#[cfg(test)]
mod tests {
    use super::issuer_of;

    #[test]
    fn a_pool_is_an_issuer_of_its_region_without_a_slash_at_the_end() {
        let issuer =
            issuer_of("arn:aws:cognito-idp:eu-west-1:111111111111:userpool/eu-west-1_AbCdEf123");
        assert_eq!(
            issuer.as_deref(),
            Ok("https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEf123")
        );
    }

    #[test]
    fn what_is_no_arn_of_a_pool_is_an_error_that_shows_one() {
        for wrong in [
            "",
            "eu-west-1_AbCdEf123",
            "arn:aws:iam::111111111111:user/me",
            "arn:aws:cognito-idp:eu-west-1:111111111111:userpool/",
            "arn:aws:cognito-idp:evil.example/x:111111111111:userpool/a",
            "arn:aws:cognito-idp:eu-west-1:111111111111:userpool/a/../b",
        ] {
            let error = issuer_of(wrong).unwrap_err().to_string();
            assert!(error.contains("userpool/eu-west-1_AbCdEf123"), "{error}");
        }
    }
}
