//! API definitions as plain data, under the names that Amazon API Gateway gives them.
