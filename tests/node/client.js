// The official Node.js SDK, unmodified, as a client of the sandbox. Speaks JSON lines on stdout until stdin closes.
const { Readable } = require('node:stream');
const lark = require('@larksuiteoapi/node-sdk');

const { APP_ID: appId, APP_SECRET: appSecret, FEISHU_BASE_URL: domain, CHAT_ID: chatId } = process.env;
const tell = (fact) => process.stdout.write(`${JSON.stringify(fact)}\n`);
const quiet = { appId, appSecret, domain, loggerLevel: lark.LoggerLevel.error };

async function bytes(download) {
  const chunks = [];
  for await (const chunk of download.getReadableStream()) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

async function useTheApi() {
  const client = new lark.Client(quiet);
  const sent = await client.im.v1.message.create({
    params: { receive_id_type: 'chat_id' },
    data: { receive_id: chatId, msg_type: 'text', content: JSON.stringify({ text: '来自 Node' }) },
  });
  const reply = await client.im.v1.message.reply({
    path: { message_id: sent.data.message_id },
    data: { msg_type: 'text', content: JSON.stringify({ text: '回复' }) },
  });
  const listed = await client.im.v1.message.list({ params: { container_id_type: 'chat', container_id: chatId } });
  const reaction = await client.im.v1.messageReaction.create({
    path: { message_id: sent.data.message_id },
    data: { reaction_type: { emoji_type: 'DONE' } },
  });
  const members = await client.im.v1.chatMembers.get({ path: { chat_id: chatId } });
  const uploaded = await client.im.v1.file.create({
    data: { file_type: 'stream', file_name: 'a.txt', file: Readable.from([Buffer.from('from node')]) },
  });
  const file = await client.im.v1.message.create({
    params: { receive_id_type: 'chat_id' },
    data: { receive_id: chatId, msg_type: 'file', content: JSON.stringify({ file_key: uploaded.file_key }) },
  });
  const download = await client.im.v1.messageResource.get({
    path: { message_id: file.data.message_id, file_key: uploaded.file_key },
    params: { type: 'file' },
  });
  tell({
    sent: sent.data.message_id,
    parent: reply.data.parent_id,
    listed: listed.data.items.map((item) => item.message_id),
    reaction: reaction.data.reaction_id,
    members: members.data.items.map((item) => item.name),
    file: await bytes(download),
  });
}

const link = new lark.WSClient(quiet);
link.start({
  eventDispatcher: new lark.EventDispatcher({ loggerLevel: lark.LoggerLevel.error }).register({
    'im.message.receive_v1': async (event) => tell({ heard: event.message.message_id, content: event.message.content }),
  }),
});
useTheApi().catch((error) => tell({ failed: String(error.stack), answer: error.response && error.response.data }));
process.stdin.on('end', () => process.exit(0)).resume();
