
/** The bytes of a string, without its NUL. NULL: none. */
static inline rpcx_slice rpcx_text(const char *text) {
  rpcx_slice slice;
  slice.data = (const uint8_t *)text;
  slice.len = text ? strlen(text) : 0;
  return slice;
}

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* RPCX_H */
