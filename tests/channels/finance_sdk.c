/* Stands in for Tencent's library: the functions of WeWorkFinanceSdk_C.h, over files.
 *
 * In the directory FINANCE_SDK_DIR: "messages" holds what GetChatData gives, one "<number> <json>"
 * a line; "most" how many it gives at a time; "oldest" the first number that is kept;
 * "trouble.<function>" one word a line, taken off by each call: ok, abort, hang or a code;
 * "media.<file id>" a file. Everything that is taken and given back is written to "ledger".
 *
 * A message is sealed as hexadecimal digits of "plain:" and its JSON, each byte XOR the key's.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK (512 * 1024)

typedef struct { int is_open; } WeWorkFinanceSdk_t;
typedef struct { char *buf; int len; } Slice_t;
typedef struct { char *outindexbuf; int out_len; char *data; int data_len; int is_finish; } MediaData_t;

static atomic_int inside;

static char *path_of(const char *name)
{
    static _Thread_local char path[4096];
    snprintf(path, sizeof path, "%s/%s", getenv("FINANCE_SDK_DIR"), name);
    return path;
}

static void note(const char *format, ...)
{
    char line[8192];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line - 1, format, arguments);
    va_end(arguments);
    line[length++] = '\n';
    int ledger = open(path_of("ledger"), O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (ledger < 0 || write(ledger, line, length) != length) abort();
    close(ledger);
}

/* The whole of a file with a NUL behind it; NULL when there is none. */
static char *contents_of(const char *name, long *length)
{
    FILE *file = fopen(path_of(name), "rb");
    if (!file) return NULL;
    fseek(file, 0, SEEK_END);
    *length = ftell(file);
    rewind(file);
    char *text = malloc(*length + 1);
    if (fread(text, 1, *length, file) != (size_t)*length) abort();
    text[*length] = 0;
    fclose(file);
    return text;
}

static long number_in(const char *name, long otherwise)
{
    long length;
    char *text = contents_of(name, &length);
    long number = text ? atol(text) : otherwise;
    free(text);
    return number;
}

static int trouble_of(const char *function)
{
    char name[64];
    long length;
    snprintf(name, sizeof name, "trouble.%s", function);
    char *text = contents_of(name, &length);
    if (!text || !*text) { free(text); return 0; }
    char *rest = strchr(text, '\n');
    if (rest) *rest++ = 0; else rest = text + length;
    FILE *file = fopen(path_of(name), "wb");
    fputs(rest, file);
    fclose(file);
    if (!strcmp(text, "abort")) abort();
    if (!strcmp(text, "hang")) for (;;) pause();
    int code = atoi(text);
    free(text);
    return code;
}

static void enter(void) { if (atomic_fetch_add(&inside, 1)) note("overlap"); }
static int leave(int code) { atomic_fetch_sub(&inside, 1); return code; }

static int fill(Slice_t *slice, char *text, long length)
{
    slice->buf = text;
    slice->len = (int)length;
    return 0;
}

WeWorkFinanceSdk_t *NewSdk(void)
{
    note("+sdk");
    return calloc(1, sizeof(WeWorkFinanceSdk_t));
}

void DestroySdk(WeWorkFinanceSdk_t *sdk) { note("-sdk"); free(sdk); }

int Init(WeWorkFinanceSdk_t *sdk, const char *corpid, const char *secret)
{
    note("Init corpid=%s secret=%s keys=%d", corpid, secret, getenv("SCRM_FIELD_KEYS") != NULL);
    sdk->is_open = 1;
    return trouble_of("Init");
}

int GetChatData(WeWorkFinanceSdk_t *sdk, unsigned long long seq, unsigned int limit,
                const char *proxy, const char *passwd, int timeout, Slice_t *out)
{
    enter();
    printf("the library talks to itself\n");
    fflush(stdout);
    note("GetChatData seq=%llu limit=%u proxy=%s passwd=%s timeout=%d", seq, limit, proxy, passwd,
         timeout);
    int code = trouble_of("GetChatData");
    long oldest = number_in("oldest", 0), length = 0;
    if (!sdk->is_open || limit > 1000) code = 10000;
    else if (seq && (long)seq + 1 < oldest) code = 10010;
    if (code) return leave(code);
    if (limit > (unsigned long)number_in("most", 1000)) {
        char *refusal = strdup("{\"errcode\":301058,\"errmsg\":\"too much\"}");
        return leave(fill(out, refusal, strlen(refusal)));
    }
    char *rows = contents_of("messages", &length), *answer = calloc(1, length + 64);
    strcpy(answer, "{\"errcode\":0,\"errmsg\":\"ok\",\"chatdata\":[");
    char *end = answer + strlen(answer);
    unsigned int given = 0;
    for (char *row = rows ? strtok(rows, "\n") : NULL; row && given < limit; row = strtok(NULL, "\n")) {
        char *json;
        unsigned long long number = strtoull(row, &json, 10);
        if (number <= seq || (long)number < oldest) continue;
        end += sprintf(end, "%s%s", given++ ? "," : "", json + 1);
    }
    free(rows);
    end += sprintf(end, "]}");
    return leave(fill(out, answer, end - answer));
}

int DecryptData(const char *key, const char *sealed, Slice_t *out)
{
    enter();
    int code = trouble_of("DecryptData");
    size_t length = strlen(sealed) / 2, key_length = strlen(key);
    if (code || !key_length) return leave(code ? code : 10008);
    char *plain = calloc(1, length + 1);
    for (size_t i = 0; i < length; i++) {
        unsigned int byte;
        sscanf(sealed + 2 * i, "%2x", &byte);
        plain[i] = (char)(byte ^ (unsigned char)key[i % key_length]);
    }
    if (strncmp(plain, "plain:", 6)) { free(plain); return leave(10006); }
    if (strstr(plain, "breaks the library")) abort();
    if (strstr(plain, "holds the library up")) for (;;) pause();
    memmove(plain, plain + 6, length - 5);
    return leave(fill(out, plain, length - 6));
}

int GetMediaData(WeWorkFinanceSdk_t *sdk, const char *index, const char *file_id, const char *proxy,
                 const char *passwd, int timeout, MediaData_t *out)
{
    enter();
    note("GetMediaData index=%s proxy=%s passwd=%s timeout=%d", index, proxy, passwd, timeout);
    int code = trouble_of("GetMediaData");
    char name[256];
    long length, start = atol(index);
    snprintf(name, sizeof name, "media.%s", file_id);
    char *file = contents_of(name, &length);
    if (code || !file || !sdk->is_open) { free(file); return leave(code ? code : 10005); }
    out->data_len = (int)(length - start < CHUNK ? length - start : CHUNK);
    out->data = malloc(out->data_len + 1);
    memcpy(out->data, file + start, out->data_len);
    out->outindexbuf = malloc(32);
    out->out_len = sprintf(out->outindexbuf, "%ld", start + out->data_len);
    out->is_finish = start + out->data_len >= length;
    free(file);
    return leave(0);
}

Slice_t *NewSlice(void) { note("+slice"); return calloc(1, sizeof(Slice_t)); }
void FreeSlice(Slice_t *slice) { note("-slice"); free(slice->buf); free(slice); }
char *GetContentFromSlice(Slice_t *slice) { return slice->buf; }
int GetSliceLen(Slice_t *slice) { return slice->len; }

MediaData_t *NewMediaData(void) { note("+media"); return calloc(1, sizeof(MediaData_t)); }
void FreeMediaData(MediaData_t *media)
{
    note("-media");
    free(media->data);
    free(media->outindexbuf);
    free(media);
}
char *GetOutIndexBuf(MediaData_t *media) { return media->outindexbuf; }
char *GetData(MediaData_t *media) { return media->data; }
int GetIndexLen(MediaData_t *media) { return media->out_len; }
int GetDataLen(MediaData_t *media) { return media->data_len; }
int IsMediaDataFinish(MediaData_t *media) { return media->is_finish; }
