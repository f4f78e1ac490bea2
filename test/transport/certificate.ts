/**
 * For tests alone: a certificate of `localhost` until 2120, signed by itself, and its key, which protects nothing.
 * Made with `openssl req -new -key …` and `openssl ca -selfsign -startdate 20200101000000Z -enddate 21200101000000Z`.
 */
export const key = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgOLSfAFU7nvvy5/DZ
p8qULxIUANdtwi9CR9GxJuBETxihRANCAARexw85bWIcGFOAbYaZtaMjiSewraPs
oD1FpUlv9use4dtxRCLC9kvOW73uTf3dYGUHn0Ia9PuwaC8rzpEffQBi
-----END PRIVATE KEY-----`;

export const certificate = `-----BEGIN CERTIFICATE-----
MIIBdDCCARqgAwIBAgIUJV+Wi6tza0wBR9tUDIG4Xa8gapEwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTIwMDEwMTAwMDAwMFoYDzIxMjAwMTAx
MDAwMDAwWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAARexw85bWIcGFOAbYaZtaMjiSewraPsoD1FpUlv9use4dtxRCLC9kvO
W73uTf3dYGUHn0Ia9PuwaC8rzpEffQBio0gwRjAUBgNVHREEDTALgglsb2NhbGhv
c3QwDwYDVR0TAQH/BAUwAwEB/zAdBgNVHQ4EFgQU/OQnn/QfDjJlstjmRt48Djyg
uaEwCgYIKoZIzj0EAwIDSAAwRQIgH3WIF7od/+7JCfVmmE5SJ9IIvjH/JaQCRXbQ
p5n8h9ACIQDdlQISpOZQP+lOYavDOidit+wQBr2GLukw7c8hAINXKg==
-----END CERTIFICATE-----`;
