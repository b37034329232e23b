import { useState } from 'react'
import SendbirdProvider from '@sendbird/uikit-react/SendbirdProvider'

import { Chat } from './Chat'
import { SignIn, type Member } from './SignIn'

/** App asks who you are and then is that member's chat. */
export function App() {
  const [member, setMember] = useState<Member | null>(null)
  if (!member) return <SignIn onSignIn={setMember} />
  return (
    <SendbirdProvider
      appId={member.appId}
      userId={member.userId}
      {...(member.accessToken ? { accessToken: member.accessToken } : {})}
      // The marks that Postern moves: in the list as well as beside each message.
      uikitOptions={{ groupChannelList: { enableMessageReceiptStatus: true } }}
      eventHandlers={{
        connection: {
          onFailed: (error) => {
            window.alert(`Sendbird does not let ${member.userId} in: ${error.message}`)
            setMember(null)
          },
        },
      }}
    >
      <Chat />
    </SendbirdProvider>
  )
}
