import { useState } from 'react'
import { GroupChannelProvider } from '@sendbird/uikit-react/GroupChannel/context'
import GroupChannelUI from '@sendbird/uikit-react/GroupChannel/components/GroupChannelUI'
import GroupChannelList from '@sendbird/uikit-react/GroupChannelList'

import { Marks } from './Marks'

/** Chat is the list of channels, one channel, and what its marks say in words. */
export function Chat() {
  const [url, setUrl] = useState('')
  return (
    <div className="chat">
      <GroupChannelList
        selectedChannelUrl={url}
        onChannelSelect={(channel) => setUrl(channel?.url ?? '')}
        onChannelCreated={(channel) => setUrl(channel.url)}
      />
      <GroupChannelProvider channelUrl={url}>
        <div className="channel">
          <GroupChannelUI />
        </div>
        <Marks />
      </GroupChannelProvider>
    </div>
  )
}
