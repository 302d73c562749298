BEGIN TRANSACTION;
CREATE TABLE "activity.activity" ("user_id" TEXT NOT NULL DEFAULT '', "period" TEXT NOT NULL DEFAULT '', "message" INTEGER NOT NULL DEFAULT 0, "character" INTEGER NOT NULL DEFAULT 0, "replied" INTEGER NOT NULL DEFAULT 0, "mentioned" INTEGER NOT NULL DEFAULT 0, "topic" INTEGER NOT NULL DEFAULT 0, "liking" INTEGER NOT NULL DEFAULT 0, "liked" INTEGER NOT NULL DEFAULT 0, "pinned" INTEGER NOT NULL DEFAULT 0, "score" REAL NOT NULL DEFAULT 0, "updated" INTEGER, 
  _id INTEGER PRIMARY KEY,
  _version INTEGER NOT NULL DEFAULT 1,   -- goes up with every change
  _mirrored INTEGER NOT NULL DEFAULT 0,  -- the version Bitable shows
  _record TEXT,                          -- the Bitable record, once it exists
  _deleted INTEGER NOT NULL DEFAULT 0    -- deleted here, not yet there
, UNIQUE ("user_id", "period"));
INSERT INTO "activity.activity" VALUES('ou_6e27c6f7f2a621d07fead5319259c632','2026-11',1,4,1,0,1,0,1,0,4.54,1795373687846,1,1,1,'recAyoKnUyMBQ',0);
INSERT INTO "activity.activity" VALUES('ou_7e7f0403e9989dfac8643d9cf03c856a','2026-11',1,8,0,0,0,1,0,1,7.08,1795373688603,2,2,2,'recAP251yFqKq',0);
INSERT INTO "activity.activity" VALUES('ou_22a9ca2c8fbb0c3c67db83788170bbac','2026-11',1,0,0,1,1,0,0,0,3.5,1795373687846,3,1,1,'recCYorvdXk2s',0);
CREATE TABLE "activity.credits" ("message_id" TEXT NOT NULL DEFAULT '', "chat_id" TEXT NOT NULL DEFAULT '', "author" TEXT NOT NULL DEFAULT '', "bot" INTEGER NOT NULL DEFAULT 0, "period" TEXT NOT NULL DEFAULT '', "created" INTEGER, "characters" INTEGER NOT NULL DEFAULT 0, "topic" INTEGER NOT NULL DEFAULT 0, "replied" TEXT NOT NULL DEFAULT '', "mentioned" TEXT, "recalled" INTEGER NOT NULL DEFAULT 0, "pinned" INTEGER NOT NULL DEFAULT 0, "pin_time" INTEGER NOT NULL DEFAULT 0, PRIMARY KEY ("message_id")) WITHOUT ROWID;
INSERT INTO "activity.credits" VALUES('om_1','oc_e9b030d6b95ac6ad33c8a3f68c507036','ou_6e27c6f7f2a621d07fead5319259c632',0,'2026-11',1795373687829,4,1,'',NULL,0,0,0);
INSERT INTO "activity.credits" VALUES('om_2','oc_e9b030d6b95ac6ad33c8a3f68c507036','ou_7e7f0403e9989dfac8643d9cf03c856a',0,'2026-11',1795373687836,8,0,'ou_6e27c6f7f2a621d07fead5319259c632','["ou_22a9ca2c8fbb0c3c67db83788170bbac"]',0,1,1795373687842);
INSERT INTO "activity.credits" VALUES('om_3','oc_e9b030d6b95ac6ad33c8a3f68c507036','ou_22a9ca2c8fbb0c3c67db83788170bbac',0,'2026-11',1795373687836,0,1,'',NULL,0,0,0);
INSERT INTO "activity.credits" VALUES('om_4','oc_e9b030d6b95ac6ad33c8a3f68c507036','ou_6e27c6f7f2a621d07fead5319259c632',0,'2026-11',1795373687836,10,1,'',NULL,1,0,0);
CREATE TABLE "activity.likes" ("message_id" TEXT NOT NULL DEFAULT '', "user_id" TEXT NOT NULL DEFAULT '', "emoji" TEXT NOT NULL DEFAULT '', "added" INTEGER NOT NULL DEFAULT 0, "action_time" INTEGER NOT NULL DEFAULT 0, PRIMARY KEY ("message_id", "user_id", "emoji")) WITHOUT ROWID;
INSERT INTO "activity.likes" VALUES('om_1','ou_7e7f0403e9989dfac8643d9cf03c856a','OK',1,1795373687836);
INSERT INTO "activity.likes" VALUES('om_2','ou_6e27c6f7f2a621d07fead5319259c632','OK',0,1795373687840);
CREATE TABLE "activity.state" ("name" TEXT NOT NULL DEFAULT '', "value" TEXT, PRIMARY KEY ("name")) WITHOUT ROWID;
INSERT INTO "activity.state" VALUES('weights','{"message":1.0,"character":0.01,"replied":1.5,"mentioned":1.5,"topic":1.0,"liking":1.0,"liked":1.0,"pinned":5.0}');
CREATE TABLE "activity.waiting" ("parent_id" TEXT NOT NULL DEFAULT '', "reply_id" TEXT NOT NULL DEFAULT '', PRIMARY KEY ("parent_id", "reply_id")) WITHOUT ROWID;
CREATE TABLE adopted (  -- rows as they were found in Bitable, which a replay begins with
  plugin TEXT NOT NULL, tbl TEXT NOT NULL, key TEXT NOT NULL, row TEXT NOT NULL, PRIMARY KEY (plugin, tbl, key)
) WITHOUT ROWID;
CREATE TABLE api_call (
  day TEXT NOT NULL, name TEXT NOT NULL, calls INTEGER NOT NULL, PRIMARY KEY (day, name)
) WITHOUT ROWID;
INSERT INTO "api_call" VALUES('2026-11-23','auth.v3.tenantAccessToken.internal',1);
INSERT INTO "api_call" VALUES('2026-11-23','bitable.v1.appTableField.list',4);
INSERT INTO "api_call" VALUES('2026-11-23','bitable.v1.appTableRecord.batchCreate',4);
INSERT INTO "api_call" VALUES('2026-11-23','bitable.v1.appTableRecord.batchUpdate',2);
INSERT INTO "api_call" VALUES('2026-11-23','bitable.v1.appTableRecord.search',4);
INSERT INTO "api_call" VALUES('2026-11-23','contact.v3.user.batch',1);
INSERT INTO "api_call" VALUES('2026-11-23','drive.v1.media.uploadAll',1);
INSERT INTO "api_call" VALUES('2026-11-23','im.v1.chats:GET',1);
INSERT INTO "api_call" VALUES('2026-11-23','im.v1.messageResource.get',1);
INSERT INTO "api_call" VALUES('2026-11-23','im.v1.messages:GET',1);
INSERT INTO "api_call" VALUES('2026-11-23','im.v1.pins:GET',1);
CREATE TABLE "archive.archive" ("message_id" TEXT NOT NULL DEFAULT '', "topic_id" TEXT NOT NULL DEFAULT '', "parent_id" TEXT NOT NULL DEFAULT '', "content" TEXT NOT NULL DEFAULT '', "message_type" TEXT NOT NULL DEFAULT '', "created" INTEGER, "month" TEXT NOT NULL DEFAULT '', "link" TEXT NOT NULL DEFAULT '', "files" TEXT NOT NULL DEFAULT '[]', "mentioned" TEXT NOT NULL DEFAULT '', "status" TEXT NOT NULL DEFAULT '', "edited" INTEGER, "chat_id" TEXT NOT NULL DEFAULT '', "sender_id" TEXT NOT NULL DEFAULT '', "person_id" TEXT NOT NULL DEFAULT '', "version" INTEGER, "length" INTEGER NOT NULL DEFAULT 0, "revision" INTEGER NOT NULL DEFAULT 0, 
  _id INTEGER PRIMARY KEY,
  _version INTEGER NOT NULL DEFAULT 1,   -- goes up with every change
  _mirrored INTEGER NOT NULL DEFAULT 0,  -- the version Bitable shows
  _record TEXT,                          -- the Bitable record, once it exists
  _deleted INTEGER NOT NULL DEFAULT 0    -- deleted here, not yet there
, UNIQUE ("message_id"));
INSERT INTO "archive.archive" VALUES('om_1','om_1','','你好世界','text',1795373687829,'2026-11','https://applink.feishu.cn/client/chat/open?openChatId=oc_e9b030d6b95ac6ad33c8a3f68c507036&messageId=om_1','[]','','',NULL,'oc_e9b030d6b95ac6ad33c8a3f68c507036','ou_6e27c6f7f2a621d07fead5319259c632','ou_6e27c6f7f2a621d07fead5319259c632',1795373687829,4,1,1,1,1,'recECSZRyBxoK',0);
INSERT INTO "archive.archive" VALUES('om_2','om_1','om_1','灰度发布定在周三 @王芳','text',1795373687836,'2026-11','https://applink.feishu.cn/client/chat/open?openChatId=oc_e9b030d6b95ac6ad33c8a3f68c507036&messageId=om_2','[]','王芳','',NULL,'oc_e9b030d6b95ac6ad33c8a3f68c507036','ou_7e7f0403e9989dfac8643d9cf03c856a','ou_7e7f0403e9989dfac8643d9cf03c856a',1795373687836,12,2,2,1,1,'recECJ5auX3kz',0);
INSERT INTO "archive.archive" VALUES('om_3','om_3','','[文件] plan.txt','file',1795373687836,'2026-11','https://applink.feishu.cn/client/chat/open?openChatId=oc_e9b030d6b95ac6ad33c8a3f68c507036&messageId=om_3','[{"file_key":"file_v3_1","kind":"file","name":"plan.txt","size":20,"media_type":"text/plain","file_token":"boxcny6HbZmlXcWzjCURdpiPjOJ"}]','','',NULL,'oc_e9b030d6b95ac6ad33c8a3f68c507036','ou_22a9ca2c8fbb0c3c67db83788170bbac','ou_22a9ca2c8fbb0c3c67db83788170bbac',1795373687836,13,6,3,2,2,'recVucdbRwx9Y',0);
INSERT INTO "archive.archive" VALUES('om_4','om_4','','','text',1795373687836,'2026-11','https://applink.feishu.cn/client/chat/open?openChatId=oc_e9b030d6b95ac6ad33c8a3f68c507036&messageId=om_4','[]','','已撤回',NULL,'oc_e9b030d6b95ac6ad33c8a3f68c507036','ou_6e27c6f7f2a621d07fead5319259c632','ou_6e27c6f7f2a621d07fead5319259c632',1795373687836,0,5,4,1,1,'recEvCwwTXrMv',0);
PRAGMA writable_schema=ON;
INSERT INTO sqlite_master(type,name,tbl_name,rootpage,sql)VALUES('table','archive.archive.search','archive.archive.search',0,'CREATE VIRTUAL TABLE "archive.archive.search" USING fts5(_0, _1, tokenize = ''unicode61 remove_diacritics 2'')');
CREATE TABLE 'archive.archive.search_config'(k PRIMARY KEY, v) WITHOUT ROWID;
INSERT INTO "archive.archive.search_config" VALUES('automerge',8);
INSERT INTO "archive.archive.search_config" VALUES('version',4);
CREATE TABLE 'archive.archive.search_content'(id INTEGER PRIMARY KEY, c0, c1);
INSERT INTO "archive.archive.search_content" VALUES(1,' 你 好 世 界 ','');
INSERT INTO "archive.archive.search_content" VALUES(2,' 灰 度 发 布 定 在 周 三  @ 王 芳 ',' 王 芳 ');
INSERT INTO "archive.archive.search_content" VALUES(3,'[ 文 件 ] plan.txt','');
INSERT INTO "archive.archive.search_content" VALUES(4,'','');
CREATE TABLE 'archive.archive.search_data'(id INTEGER PRIMARY KEY, block BLOB);
INSERT INTO "archive.archive.search_data" VALUES(1,X'041202');
INSERT INTO "archive.archive.search_data" VALUES(10,X'000000010101010001010101');
INSERT INTO "archive.archive.search_data" VALUES(137438953473,X'0000008F0530706C616E03020401037478740302050103E4B8890202090301960102040202BBB60302030202BDA00102020103E58F91020204020291A802020802029CA80202070202A5BD0102030202AE9A0202060202B8830202050202BAA60202030103E696870302020103E781B002020202028E8B02080A0101020202958C0102050103E88AB302080B010103040908080607070807070707070708080A07');
CREATE TABLE 'archive.archive.search_docsize'(id INTEGER PRIMARY KEY, sz BLOB);
INSERT INTO "archive.archive.search_docsize" VALUES(1,X'0400');
INSERT INTO "archive.archive.search_docsize" VALUES(2,X'0A02');
INSERT INTO "archive.archive.search_docsize" VALUES(3,X'0400');
INSERT INTO "archive.archive.search_docsize" VALUES(4,X'0000');
CREATE TABLE 'archive.archive.search_idx'(segid, term, pgno, PRIMARY KEY(segid, term)) WITHOUT ROWID;
INSERT INTO "archive.archive.search_idx" VALUES(1,X'',2);
CREATE TABLE "archive.archive.unindexed" (id INTEGER PRIMARY KEY);
CREATE TABLE "archive.early" ("message_id" TEXT NOT NULL DEFAULT '', "recalled" INTEGER NOT NULL DEFAULT 0, "edited" INTEGER NOT NULL DEFAULT 0, "content" TEXT, PRIMARY KEY ("message_id")) WITHOUT ROWID;
CREATE TABLE "archive.fetch_agenda" ("at" INTEGER, "subject" TEXT NOT NULL DEFAULT '', PRIMARY KEY ("at", "subject")) WITHOUT ROWID;
CREATE TABLE "archive.fetches" ("subject" TEXT NOT NULL DEFAULT '', "kind" TEXT NOT NULL DEFAULT '', "at" INTEGER, "since" INTEGER, "attempts" INTEGER NOT NULL DEFAULT 0, PRIMARY KEY ("subject")) WITHOUT ROWID;
CREATE TABLE "archive.memory" ("name" TEXT NOT NULL DEFAULT '', "topic_id" TEXT NOT NULL DEFAULT '', "value" TEXT, PRIMARY KEY ("name")) WITHOUT ROWID;
CREATE TABLE "archive.names" ("id" TEXT NOT NULL DEFAULT '', "name" TEXT NOT NULL DEFAULT '', "known" INTEGER, PRIMARY KEY ("id")) WITHOUT ROWID;
INSERT INTO "archive.names" VALUES('oc_e9b030d6b95ac6ad33c8a3f68c507036','安静的群',1795373688594);
CREATE TABLE "archive.recent" ("chat_id" TEXT NOT NULL DEFAULT '', "said" TEXT, PRIMARY KEY ("chat_id")) WITHOUT ROWID;
CREATE TABLE "archive.state" ("name" TEXT NOT NULL DEFAULT '', "value" TEXT, PRIMARY KEY ("name")) WITHOUT ROWID;
INSERT INTO "archive.state" VALUES('digest','"off 09:30 1 Asia/Shanghai"');
INSERT INTO "archive.state" VALUES('recalled','"blank"');
INSERT INTO "archive.state" VALUES('revision','6');
CREATE TABLE "archive.status_agenda" ("at" INTEGER, "subject" TEXT NOT NULL DEFAULT '', PRIMARY KEY ("at", "subject")) WITHOUT ROWID;
INSERT INTO "archive.status_agenda" VALUES(1795978487837,'om_1');
CREATE TABLE "archive.summary_agenda" ("at" INTEGER, "subject" TEXT NOT NULL DEFAULT '', PRIMARY KEY ("at", "subject")) WITHOUT ROWID;
INSERT INTO "archive.summary_agenda" VALUES(1795374287836,'om_1');
CREATE TABLE "archive.threads" ("topic_id" TEXT NOT NULL DEFAULT '', "replies" INTEGER NOT NULL DEFAULT 0, "unseen" INTEGER NOT NULL DEFAULT 0, "unseen_until" INTEGER, "first_reply" INTEGER, "last_reply" INTEGER, "repliers" TEXT, "status_at" INTEGER, "changed" INTEGER, "waiting_since" INTEGER, "summary_at" INTEGER, "summarized" TEXT NOT NULL DEFAULT '', PRIMARY KEY ("topic_id")) WITHOUT ROWID;
INSERT INTO "archive.threads" VALUES('om_1',1,0,NULL,1795373687836,1795373687836,'{"ou_7e7f0403e9989dfac8643d9cf03c856a":1795373687836}',1795978487837,1795373688068,1795373688068,1795374287836,'');
CREATE TABLE "archive.topics" ("topic_id" TEXT NOT NULL DEFAULT '', "title" TEXT NOT NULL DEFAULT '', "created" INTEGER, "last_reply" INTEGER, "replies" INTEGER NOT NULL DEFAULT 0, "people" INTEGER NOT NULL DEFAULT 0, "status" TEXT NOT NULL DEFAULT '', "month" TEXT NOT NULL DEFAULT '', "link" TEXT NOT NULL DEFAULT '', "summary" TEXT NOT NULL DEFAULT '', "keywords" TEXT NOT NULL DEFAULT '', "chat_id" TEXT NOT NULL DEFAULT '', "starter_id" TEXT NOT NULL DEFAULT '', "person_id" TEXT NOT NULL DEFAULT '', "participants" TEXT, 
  _id INTEGER PRIMARY KEY,
  _version INTEGER NOT NULL DEFAULT 1,   -- goes up with every change
  _mirrored INTEGER NOT NULL DEFAULT 0,  -- the version Bitable shows
  _record TEXT,                          -- the Bitable record, once it exists
  _deleted INTEGER NOT NULL DEFAULT 0    -- deleted here, not yet there
, UNIQUE ("topic_id"));
INSERT INTO "archive.topics" VALUES('om_1','你好世界',1795373687829,1795373687836,1,2,'活跃','2026-11','https://applink.feishu.cn/client/chat/open?openChatId=oc_e9b030d6b95ac6ad33c8a3f68c507036&messageId=om_1','','','oc_e9b030d6b95ac6ad33c8a3f68c507036','ou_6e27c6f7f2a621d07fead5319259c632','ou_6e27c6f7f2a621d07fead5319259c632','["ou_6e27c6f7f2a621d07fead5319259c632","ou_7e7f0403e9989dfac8643d9cf03c856a"]',1,1,1,'recAugWjfuip4',0);
CREATE TABLE attachment (
  file_key TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  due INTEGER NOT NULL,            -- when to try next, ms
  done INTEGER NOT NULL DEFAULT 0,
  size INTEGER NOT NULL DEFAULT 0, checksum INTEGER NOT NULL DEFAULT 0, media_type TEXT NOT NULL DEFAULT '',
  base TEXT NOT NULL DEFAULT '', file_token TEXT NOT NULL DEFAULT '',
  path TEXT NOT NULL DEFAULT '',
  parts TEXT                       -- the upload under way, JSON
);
INSERT INTO "attachment" VALUES('file_v3_1','file','plan.txt',0,0,1,20,1831012711,'text/plain','bascno3uYvMg65f6qotGwGNRWDM','boxcny6HbZmlXcWzjCURdpiPjOJ','',NULL);
CREATE TABLE attachment_request (
  plugin TEXT NOT NULL, message_id TEXT NOT NULL, file_key TEXT NOT NULL,
  asked INTEGER NOT NULL DEFAULT 1,    -- how often; an answer is for all until then
  waiting INTEGER NOT NULL DEFAULT 1,
  problem TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (plugin, message_id, file_key)
) WITHOUT ROWID;
INSERT INTO "attachment_request" VALUES('archive','om_3','file_v3_1',1,0,'');
CREATE TABLE batch (
  plugin TEXT NOT NULL, tbl TEXT NOT NULL, token TEXT NOT NULL, body BLOB NOT NULL, targets TEXT NOT NULL,
  PRIMARY KEY (plugin, tbl)
) WITHOUT ROWID;
CREATE TABLE consumer (
  plugin TEXT PRIMARY KEY, cursor INTEGER NOT NULL, handled INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
INSERT INTO "consumer" VALUES('activity',10,9);
INSERT INTO "consumer" VALUES('archive',10,6);
INSERT INTO "consumer" VALUES('health',0,0);
INSERT INTO "consumer" VALUES('pin',10,1);
CREATE TABLE dead (
  plugin TEXT NOT NULL, seq INTEGER NOT NULL, attempts INTEGER NOT NULL, parked INTEGER NOT NULL, error TEXT NOT NULL,
  PRIMARY KEY (plugin, seq)
) WITHOUT ROWID;
CREATE TABLE discarded (
  plugin TEXT NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (plugin, seq)
) WITHOUT ROWID;
CREATE TABLE "health.state" ("name" TEXT NOT NULL DEFAULT '', "value" TEXT, PRIMARY KEY ("name")) WITHOUT ROWID;
CREATE TABLE note (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO "note" VALUES('app','cli_2e3f8f9bae5d8b40');
INSERT INTO "note" VALUES('columns of activity.activity','["用户ID","用户名称","人员","统计周期","发言次数","发言字数","被回复数","单独被@次数","发起话题数","点赞数","被点赞数","被Pin次数","活跃度分数","更新时间"]');
INSERT INTO "note" VALUES('columns of archive.archive','["消息ID","话题ID","父消息ID","发送者","发送者姓名","消息内容","消息类型","发送时间","统计月份","消息链接","附件信息","@的人"]');
INSERT INTO "note" VALUES('columns of archive.topics','["话题ID","话题标题","发起人","发起人姓名","创建时间","最后回复时间","回复数","参与人数","参与者","话题状态","统计月份","话题链接","摘要","关键词"]');
INSERT INTO "note" VALUES('columns of pin.pin','["Pin消息ID","消息内容","消息类型","发送者ID","发送者姓名","Pin操作人ID","Pin操作人姓名","Pin时间","消息发送时间","消息链接","附件信息","归档时间"]');
INSERT INTO "note" VALUES('heard','1795373687846');
INSERT INTO "note" VALUES('search of archive.archive','1 content mentioned');
INSERT INTO "note" VALUES('table of activity.activity','tbljRmQP5Duz13uN');
INSERT INTO "note" VALUES('table of archive.archive','tblLsqKZ3OxWZ2lC');
INSERT INTO "note" VALUES('table of archive.topics','tblRSpywfloTLGS5');
INSERT INTO "note" VALUES('table of pin.pin','tblN4Lf5zZabF2Pz');
INSERT INTO "note" VALUES('upkeep.checked','1795373687567');
INSERT INTO "note" VALUES('upkeep.running','');
CREATE TABLE outbox (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  plugin TEXT NOT NULL, key TEXT NOT NULL,
  chat_id TEXT NOT NULL, reply_to TEXT NOT NULL, msg_type TEXT NOT NULL, content BLOB NOT NULL,
  due INTEGER,               -- when to try next, ms; none once it is sent or given up
  attempts INTEGER NOT NULL DEFAULT 0,
  done INTEGER,              -- when it was sent or given up
  message_id TEXT NOT NULL DEFAULT '', error TEXT NOT NULL DEFAULT '',
  UNIQUE (plugin, key)
);
CREATE TABLE person (
  open_id TEXT PRIMARY KEY, name TEXT NOT NULL, fetched INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO "person" VALUES('ou_22a9ca2c8fbb0c3c67db83788170bbac','王芳',1795373688114);
INSERT INTO "person" VALUES('ou_6e27c6f7f2a621d07fead5319259c632','李雷',1795373688114);
INSERT INTO "person" VALUES('ou_7e7f0403e9989dfac8643d9cf03c856a','韩梅梅',1795373688114);
CREATE TABLE "pin.groups" ("chat_id" TEXT NOT NULL DEFAULT '', "based" INTEGER NOT NULL DEFAULT 0, "deep" INTEGER NOT NULL DEFAULT 0, "stale" INTEGER NOT NULL DEFAULT 0, "below" INTEGER, "since" INTEGER, "deep_at" INTEGER, "rounds" INTEGER NOT NULL DEFAULT 0, "pages" INTEGER NOT NULL DEFAULT 0, "rest_until" INTEGER, "problem" TEXT NOT NULL DEFAULT '', PRIMARY KEY ("chat_id")) WITHOUT ROWID;
INSERT INTO "pin.groups" VALUES('oc_e9b030d6b95ac6ad33c8a3f68c507036',1,0,0,NULL,1795373687901,1795373687901,0,1,NULL,'');
CREATE TABLE "pin.known" ("chat_id" TEXT NOT NULL DEFAULT '', "message_id" TEXT NOT NULL DEFAULT '', "time" INTEGER, "operator" TEXT NOT NULL DEFAULT '', "removed" INTEGER, "unread" INTEGER NOT NULL DEFAULT 0, "tries" INTEGER NOT NULL DEFAULT 0, "tried" INTEGER, "announce" INTEGER NOT NULL DEFAULT 0, PRIMARY KEY ("chat_id", "message_id", "time")) WITHOUT ROWID;
INSERT INTO "pin.known" VALUES('oc_e9b030d6b95ac6ad33c8a3f68c507036','om_2',1795373687842,'ou_6e27c6f7f2a621d07fead5319259c632',NULL,0,0,NULL,0);
CREATE TABLE "pin.pin" ("message_id" TEXT NOT NULL DEFAULT '', "content" TEXT NOT NULL DEFAULT '', "message_type" TEXT NOT NULL DEFAULT '', "sender_id" TEXT NOT NULL DEFAULT '', "operator_id" TEXT NOT NULL DEFAULT '', "pinned" TEXT NOT NULL DEFAULT '', "sent" TEXT NOT NULL DEFAULT '', "link" TEXT NOT NULL DEFAULT '', "files" TEXT NOT NULL DEFAULT '[]', "archived" TEXT NOT NULL DEFAULT '', "status" TEXT NOT NULL DEFAULT '', "unpinned" TEXT NOT NULL DEFAULT '', "recalled" INTEGER NOT NULL DEFAULT 0, 
  _id INTEGER PRIMARY KEY,
  _version INTEGER NOT NULL DEFAULT 1,   -- goes up with every change
  _mirrored INTEGER NOT NULL DEFAULT 0,  -- the version Bitable shows
  _record TEXT,                          -- the Bitable record, once it exists
  _deleted INTEGER NOT NULL DEFAULT 0    -- deleted here, not yet there
, UNIQUE ("message_id"));
INSERT INTO "pin.pin" VALUES('om_2','灰度发布定在周三 @王芳','text','ou_7e7f0403e9989dfac8643d9cf03c856a','ou_6e27c6f7f2a621d07fead5319259c632','2026-11-23 02:54:47','2026-11-23 02:54:47','https://applink.feishu.cn/client/chat/open?openChatId=oc_e9b030d6b95ac6ad33c8a3f68c507036&messageId=om_2','[]','2026-11-23 02:54:48','已Pin','',0,1,1,1,'recc8QpusdCKC',0);
CREATE TABLE "pin.state" ("name" TEXT NOT NULL DEFAULT '', "value" TEXT, PRIMARY KEY ("name")) WITHOUT ROWID;
INSERT INTO "pin.state" VALUES('began','1795373687901');
INSERT INTO "pin.state" VALUES('groups','["oc_e9b030d6b95ac6ad33c8a3f68c507036"]');
INSERT INTO "pin.state" VALUES('limited','0');
INSERT INTO "pin.state" VALUES('looked','""');
INSERT INTO "pin.state" VALUES('todo','[]');
INSERT INTO "pin.state" VALUES('warned','true');
CREATE TABLE published (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  plugin TEXT NOT NULL, type TEXT NOT NULL, event_id TEXT NOT NULL, event BLOB NOT NULL
);
CREATE TABLE retry (
  plugin TEXT NOT NULL, seq INTEGER NOT NULL, attempts INTEGER NOT NULL, due INTEGER NOT NULL, error TEXT NOT NULL,
  PRIMARY KEY (plugin, seq)
) WITHOUT ROWID;
CREATE TABLE standing (
  plugin TEXT PRIMARY KEY,
  began INTEGER NOT NULL,                -- where its cursor was at its first start
  generation INTEGER NOT NULL DEFAULT 0, -- goes up when its tables are replaced under it
  suspended INTEGER,                     -- since when, ms
  reason TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
INSERT INTO "standing" VALUES('activity',0,0,NULL,'');
INSERT INTO "standing" VALUES('archive',0,0,NULL,'');
INSERT INTO "standing" VALUES('health',0,0,NULL,'');
INSERT INTO "standing" VALUES('pin',0,0,NULL,'');
CREATE TABLE timer (
  plugin TEXT NOT NULL, name TEXT NOT NULL, due INTEGER NOT NULL, attempts INTEGER NOT NULL,
  PRIMARY KEY (plugin, name)
) WITHOUT ROWID;
INSERT INTO "timer" VALUES('archive','status',1795978487837,0);
INSERT INTO "timer" VALUES('archive','summaries',1795374287836,0);
INSERT INTO "timer" VALUES('pin','poll',1795373698601,0);
CREATE INDEX attachment_waiting ON attachment_request(file_key) WHERE waiting = 1;
CREATE INDEX attachment_problem ON attachment_request(waiting) WHERE problem != '';
CREATE INDEX unsent ON outbox(due) WHERE due IS NOT NULL;
CREATE INDEX "activity.activity.pending" ON "activity.activity"(_mirrored) WHERE _mirrored < _version;
CREATE INDEX "activity.likes.message_id" ON "activity.likes"("message_id");
CREATE INDEX "activity.waiting.parent_id" ON "activity.waiting"("parent_id");
CREATE INDEX "archive.archive.pending" ON "archive.archive"(_mirrored) WHERE _mirrored < _version;
CREATE INDEX "archive.archive.topic_id" ON "archive.archive"("topic_id");
CREATE INDEX "archive.archive.sender_id" ON "archive.archive"("sender_id");
CREATE TRIGGER "archive.archive.search.added" AFTER INSERT ON "archive.archive" BEGIN INSERT OR IGNORE INTO "archive.archive.unindexed" VALUES (new._id); END;
CREATE TRIGGER "archive.archive.search.changed" AFTER UPDATE OF "content", "mentioned" ON "archive.archive" WHEN old."content" IS NOT new."content" OR old."mentioned" IS NOT new."mentioned" BEGIN DELETE FROM "archive.archive.search" WHERE rowid = old._id; INSERT OR IGNORE INTO "archive.archive.unindexed" VALUES (new._id); END;
CREATE TRIGGER "archive.archive.search.removed" AFTER DELETE ON "archive.archive" BEGIN DELETE FROM "archive.archive.search" WHERE rowid = old._id; DELETE FROM "archive.archive.unindexed" WHERE id = old._id; END;
CREATE INDEX "archive.topics.pending" ON "archive.topics"(_mirrored) WHERE _mirrored < _version;
CREATE INDEX "archive.memory.topic_id" ON "archive.memory"("topic_id");
CREATE INDEX "pin.pin.pending" ON "pin.pin"(_mirrored) WHERE _mirrored < _version;
CREATE INDEX "pin.known.chat_id" ON "pin.known"("chat_id");
PRAGMA writable_schema=OFF;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('published',2);
COMMIT;
