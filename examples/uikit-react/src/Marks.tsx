import { useEffect, useReducer } from 'react'
import { useGroupChannel } from '@sendbird/uikit-react/GroupChannel/context'
import GroupChannelHandler from '@sendbird/uikit-react/handlers/GroupChannelHandler'
import useSendbirdStateContext from '@sendbird/uikit-react/useSendbirdStateContext'

/** How many of your newest messages are told of. */
const SHOWN = 8

/**
 * Marks says in words what the ticks beside your messages mean. A member who is away is
 * reached by e-mail: "delivered" is then his mail server's word, "read" is that he opened
 * or answered the mail. Postern moves both marks over Sendbird's Platform API.
 */
export function Marks() {
  const { config, stores } = useSendbirdStateContext()
  const { currentChannel: channel, messages } = useGroupChannel().state
  const sdk = stores.sdkStore.sdk
  // The channel object stays the same when a mark moves.
  const [, moved] = useReducer((n: number) => n + 1, 0)

  useEffect(() => {
    if (!channel || !sdk.groupChannel) return
    const id = `marks-${channel.url}`
    const look = (which: { url: string }) => {
      if (which.url === channel.url) moved()
    }
    sdk.groupChannel.addGroupChannelHandler(
      id,
      new GroupChannelHandler({ onUndeliveredMemberStatusUpdated: look, onUnreadMemberStatusUpdated: look }),
    )
    return () => sdk.groupChannel.removeGroupChannelHandler(id)
  }, [channel, sdk])

  if (!channel) return null
  const mine = messages
    .filter((message) => message.isUserMessage() || message.isFileMessage())
    .filter((message) => message.sender.userId === config.userId && message.sendingStatus === 'succeeded')
    .slice(-SHOWN)
    .reverse()
  const others = channel.members.filter((member) => member.userId !== config.userId)
  return (
    <aside className="marks" aria-label="Marks of your newest messages" aria-live="polite">
      <h2>Marks</h2>
      {mine.length === 0 && <p>Write something, while somebody in this channel is away.</p>}
      <ol>
        {mine.map((message) => (
          <li key={message.messageId}>
            <q>{message.isUserMessage() ? message.message : message.name}</q>
            <span>
              {verdict(others.length, channel.getUndeliveredMemberCount(message), channel.getUnreadMemberCount(message))}
            </span>
          </li>
        ))}
      </ol>
    </aside>
  )
}

function verdict(others: number, undelivered: number, unread: number): string {
  if (others === 0) return 'nobody else is here'
  if (unread === 0) return 'read'
  if (undelivered === 0) return unread === others ? 'delivered' : `delivered; read by ${others - unread} of ${others}`
  return undelivered === others ? 'sent' : `delivered to ${others - undelivered} of ${others}`
}
